//! The specification lists what the code has: every hash tag, and a check for every vector file.

use crate::spec_dir;
use medring_protocol::hash::Tag;

#[test]
fn encoding_lists_every_hash_tag_once() {
    let text = std::fs::read_to_string(spec_dir().join("encoding.md")).unwrap();
    for tag in Tag::ALL {
        let rows = text.lines().filter(|line| line.starts_with(&format!("| `{}` |", tag.text()))).count();
        assert_eq!(rows, 1, "rows of docs/spec/encoding.md that begin with tag {:?}", tag.text());
    }
}

#[test]
fn the_python_script_has_a_check_for_every_file() {
    let folder = spec_dir().join("vectors");
    let script = std::fs::read_to_string(folder.join("check.py")).unwrap();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".json") {
            assert!(script.contains(&format!("\"{name}\"")), "check.py does not mention {name}");
        }
    }
}

#[test]
fn the_index_names_every_page_of_the_specification_once() {
    let index = std::fs::read_to_string(spec_dir().join("README.md")).unwrap();
    for entry in std::fs::read_dir(spec_dir()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") && name != "README.md" {
            assert_eq!(index.matches(&format!("]({name})")).count(), 1, "docs/spec/README.md should link {name} once");
        }
    }
}
