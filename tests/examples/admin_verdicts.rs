//! Prints what a broker answers to the administration that the tests ask of Logan:
//! `cargo run -p tests --example admin_verdicts -- HOST:PORT NODE_ID`.

use tests::{Wire, admin_verdicts};

#[expect(clippy::print_stdout, reason = "the program's result")]
fn main() {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().expect("the broker's address");
    let node = arguments.next().and_then(|id| id.parse().ok());
    let wire = Wire::connect(&address);
    let node = node.expect("the broker's node id");
    admin_verdicts(wire, node, &mut |line| println!("{line}"));
}
