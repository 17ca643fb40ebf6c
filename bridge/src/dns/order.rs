//! The order of what DNS answers: servers by priority and weight ([RFC 2782]), transports by order and preference
//! ([RFC 3263 §4.1]). Chance comes in as a seed.
//!
//! [RFC 2782]: https://www.rfc-editor.org/rfc/rfc2782
//! [RFC 3263 §4.1]: https://www.rfc-editor.org/rfc/rfc3263#section-4.1

use sip::Wire;

/// An SRV record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) priority: u16,
    pub(super) weight: u16,
    pub(super) port: u16,
    /// Without the last dot; empty where the record says that there is no such service.
    pub(super) target: String,
}

/// A NAPTR record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) order: u16,
    pub(super) preference: u16,
    pub(super) flags: String,
    pub(super) service: String,
    /// The name that SRV is asked for.
    pub(super) replacement: String,
}

/// Servers in the order in which to try them: smaller priorities first; among equals each comes next with a chance of
/// its share of the weight that is left.
pub(super) fn servers(mut records: Vec<Server>, seed: u64) -> Vec<Server> {
    let mut dice = Dice(seed);
    // Those without weight stand first, so that they have a chance at all.
    records.sort_by_key(|record| (record.priority, record.weight != 0));
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(priority) = records.first().map(|record| record.priority) {
        let peers = records.iter().take_while(|record| record.priority == priority);
        let total: u64 = peers.map(|record| u64::from(record.weight)).sum();
        let mark = dice.up_to(total);
        let mut running = 0;
        let at = records.iter().position(|record| {
            running += u64::from(record.weight);
            running >= mark
        });
        ordered.push(records.remove(at.unwrap_or(0)));
    }
    ordered
}

/// The transports that we speak of those that a domain offers, best first, each with the name to ask SRV for. With
/// `sips` nothing but TLS counts.
pub(super) fn services(mut records: Vec<Service>, sips: bool) -> Vec<(Wire, String)> {
    records.sort_by_key(|record| (record.order, record.preference));
    let ours = records.into_iter().filter_map(|record| {
        let wire = match record.service.to_ascii_uppercase().as_str() {
            "SIPS+D2T" => Wire::Tls,
            "SIP+D2T" if !sips => Wire::Tcp,
            "SIP+D2U" if !sips => Wire::Udp,
            _ => return None,
        };
        // What leads elsewhere than to SRV is no SIP service (RFC 3263 §4.1).
        (record.flags.eq_ignore_ascii_case("s") && !record.replacement.is_empty()).then_some((wire, record.replacement))
    });
    ours.collect()
}

/// Numbers that follow from a seed (SplitMix64): good enough to share load, and for nothing else.
struct Dice(u64);

impl Dice {
    /// A number from 0 to `most`.
    fn up_to(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % most.saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(priority: u16, weight: u16, target: &str) -> Server {
        Server { priority, weight, port: 5060, target: target.into() }
    }

    fn names(records: &[Server], seed: u64) -> Vec<String> {
        servers(records.to_vec(), seed).into_iter().map(|server| server.target).collect()
    }

    #[test]
    fn smaller_priorities_go_first_whatever_their_weight() {
        let records = [record(20, 9, "c"), record(10, 0, "a"), record(15, 1, "b")];
        for seed in 0..50 {
            assert_eq!(names(&records, seed), ["a", "b", "c"], "{seed}");
        }
        assert_eq!(names(&[], 1), [""; 0]);
    }

    #[test]
    fn weights_are_shares() {
        let records = [record(1, 70, "big"), record(1, 30, "small"), record(1, 0, "spare")];
        let mut first = std::collections::BTreeMap::<String, u32>::new();
        for seed in 0..10_000 {
            let order = names(&records, seed);
            assert_eq!(order.len(), 3);
            *first.entry(order[0].clone()).or_default() += 1;
        }
        let share = |name: &str| f64::from(first[name]) / 10_000.0;
        assert!((share("big") - 0.69).abs() < 0.03, "{first:?}");
        assert!((share("small") - 0.30).abs() < 0.03, "{first:?}");
        assert!(share("spare") > 0.001 && share("spare") < 0.03, "a small chance: {first:?}");
    }

    #[test]
    fn the_same_seed_gives_the_same_order() {
        let records: Vec<_> = (0..6).map(|n| record(1, 10, &n.to_string())).collect();
        assert_eq!(names(&records, 7), names(&records, 7));
        assert!((0..20).any(|seed| names(&records, seed) != names(&records, 7)));
    }

    #[test]
    fn transports_that_we_speak_in_the_order_of_the_domain() {
        let record = |order, preference, flags: &str, service: &str, replacement: &str| Service {
            order,
            preference,
            flags: flags.into(),
            service: service.into(),
            replacement: replacement.into(),
        };
        let records = vec![
            record(50, 60, "s", "SIP+D2S", "sctp"),
            record(50, 50, "S", "sip+d2t", "tcp"),
            record(10, 90, "s", "SIPS+D2T", "tls"),
            record(90, 50, "s", "SIP+D2U", "udp"),
            record(1, 1, "u", "SIP+D2U", "no SRV"),
            record(1, 1, "s", "SIP+D2U", ""),
        ];
        let names = |sips| services(records.clone(), sips).into_iter().map(|(_, name)| name).collect::<Vec<_>>();
        assert_eq!(names(false), ["tls", "tcp", "udp"]);
        assert_eq!(names(true), ["tls"]);
        assert_eq!(services(records.clone(), false)[1].0, Wire::Tcp);
    }
}
