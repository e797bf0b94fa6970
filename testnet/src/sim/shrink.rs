//! Delta debugging (Zeller and Hildebrandt's ddmin): from a list that fails to one of which nothing can be left out.

/// Leaves out of `list`, which fails, whatever can be left out so that it still fails. In what comes back each entry is
/// needed: without any single one of them it does not fail.
pub fn shrink<T: Clone>(list: &[T], fails: &mut dyn FnMut(&[T]) -> bool) -> Vec<T> {
    let mut list = list.to_vec();
    if list.is_empty() || fails(&[]) {
        return Vec::new();
    }
    let mut parts = 2;
    while list.len() >= 2 {
        match smaller(&list, parts, fails) {
            Some((rest, was_part)) => {
                parts = if was_part { 2 } else { (parts - 1).max(2) };
                list = rest;
            }
            None if parts >= list.len() => break,
            None => parts = (parts * 2).min(list.len()),
        }
    }
    list
}

/// One of `parts` parts of the list that fails alone (`true`), or the list without one of them.
fn smaller<T: Clone>(list: &[T], parts: usize, fails: &mut dyn FnMut(&[T]) -> bool) -> Option<(Vec<T>, bool)> {
    let size = list.len().div_ceil(parts);
    if parts < list.len()
        && let Some(part) = list.chunks(size).find(|part| fails(part))
    {
        return Some((part.to_vec(), true));
    }
    let without = |from: usize| [&list[..from], list.get(from + size..).unwrap_or_default()].concat();
    (0..list.len()).step_by(size).map(without).find(|rest| fails(rest)).map(|rest| (rest, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_fails_and_each_entry_of_it_is_needed() {
        let list: Vec<u32> = (0..40).collect();
        for needed in [&[][..], &[0], &[39], &[3, 17], &[0, 20, 21, 39], &[1, 2, 3, 4, 5, 6, 7]] {
            let mut runs = 0;
            let mut fails = |part: &[u32]| {
                runs += 1;
                needed.iter().all(|n| part.contains(n))
            };
            assert_eq!(shrink(&list, &mut fails), needed);
            assert!(runs < 250, "{runs} runs for {needed:?}");
        }
    }

    #[test]
    fn of_several_reasons_one_is_left() {
        let list: Vec<u32> = (0..12).collect();
        let left = shrink(&list, &mut |part| part.len() >= 3);
        assert_eq!(left.len(), 3);
    }
}
