//! Set-up, join and leave of a group: the ring against an MLS group (RFC 9420, openmls), in process, side by side.
//!
//! Both do all work of all members on one core, from states in memory to states in memory, with every message encoded as it
//! would be sent. Nothing is stored, nothing travels, no block is mined.
// Printing the tables is this program's purpose.
#![allow(clippy::print_stdout, clippy::cast_precision_loss)]

mod cost;
mod mls;
mod ring;

use cost::Cost;

/// Rounds of each operation; the median time is shown.
const ROUNDS: usize = 5;
/// Members after a set-up or join, and before a leave.
const SIZES: [usize; 7] = [2, 3, 5, 8, 16, 32, 64];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut wanted = args.iter().filter(|arg| !arg.starts_with('-')).peekable();
    if wanted.peek().is_some() && !wanted.any(|name| "group".contains(name.as_str())) {
        return;
    }
    let quick = args.iter().any(|arg| arg == "--test");
    let (sizes, rounds) = if quick { (&SIZES[..2], 1) } else { (&SIZES[..], ROUNDS) };
    let mut rows: Vec<(usize, [[Cost; 3]; 2])> = Vec::new();
    for n in sizes {
        let (mut rings, mut groups) = (Vec::new(), Vec::new());
        let warm = mls::Group::warm(n - 1);
        let mut warm = Some(warm);
        for _ in 0..rounds {
            rings.push(ring::round(*n));
            let (costs, again) = mls::round(*n, warm.take().expect("the group of the last round"));
            groups.push(costs);
            warm = Some(again);
        }
        rows.push((*n, [cost::median(rings), cost::median(groups)]));
    }
    for (i, operation) in ["set-up of n", "join: n − 1 become n", "leave: n become n − 1"].iter().enumerate() {
        println!("\n{operation}");
        println!(
            "{:>3} | {:>5} {:>7} {:>6} {:>9} {:>9} {:>9} | {:>6} {:>9} {:>9} {:>9} | {:>8} {:>8} {:>8}",
            "n",
            "T_n",
            "busiest",
            "msgs",
            "KiB",
            "all ms",
            "busiest",
            "msgs",
            "KiB",
            "all ms",
            "busiest",
            "msgs ×",
            "bytes ×",
            "time ×"
        );
        for (n, [rings, groups]) in &rows {
            let (a, b) = (&rings[i], &groups[i]);
            let ms = |time: std::time::Duration| time.as_secs_f64() * 1e3;
            let kib = |bytes: usize| bytes as f64 / 1024.0;
            println!(
                "{n:>3} | {:>5} {:>7} {:>6} {:>9.1} {:>9.2} {:>9.2} | {:>6} {:>9.1} {:>9.2} {:>9.2} | {:>8} {:>8} {:>8}",
                a.ladders,
                a.ladders_busiest,
                a.messages,
                kib(a.bytes),
                ms(a.time),
                ms(a.time_busiest),
                b.messages,
                kib(b.bytes),
                ms(b.time),
                ms(b.time_busiest),
                cost::ratio(a.messages as f64, b.messages as f64),
                cost::ratio(a.bytes as f64, b.bytes as f64),
                cost::ratio(ms(a.time), ms(b.time)),
            );
        }
    }
    println!(
        "\nLeft of each table the ring, then MLS, then the ring's figure over that of MLS: below 1 the ring is ahead."
    );
}
