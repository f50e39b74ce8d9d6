//! Rides on real nodes, by the native protocol: drivers and passengers on two of them with a real Redis or NATS between, one of which dies or
//! says goodbye meanwhile; and a server that is killed in the middle of a ride. What must be so is read from what people were told and from
//! what their rooms hold.

#[allow(dead_code, reason = "each file of tests needs a part of it")]
mod support;

#[path = "rides_nodes/crowd.rs"]
mod crowd;
#[path = "rides_nodes/deaths.rs"]
mod deaths;
#[allow(dead_code, reason = "each file of tests needs a part of it")]
#[path = "support/fleet.rs"]
mod fleet;
#[path = "rides_nodes/person.rs"]
mod person;

use fleet::Fleet;

macro_rules! on_both {
    ($($name:ident: $test:expr,)*) => {
        mod redis {
            $(#[test] fn $name() { $test(&super::Fleet::on_redis()); })*
        }
        mod nats {
            $(#[test] fn $name() { $test(&super::Fleet::on_nats()); })*
        }
    };
}

on_both! {
    nobody_is_anybodys_twice_when_a_node_is_killed: super::crowd::meets_while_a_node_is_killed,
    nobody_is_anybodys_twice_when_a_node_drains: super::crowd::meets_while_a_node_drains,
    a_match_made_while_the_drivers_node_cannot_say_so_is_told_at_the_other: super::deaths::driver_dies_before_it_is_told,
}
