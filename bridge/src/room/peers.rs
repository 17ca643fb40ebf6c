//! What is known of our peer connections.

use crate::plane::Role;

/// Candidates that may come before the description they belong to.
const MAX_EARLY: usize = 32;

/// One connection, or two where the server wants one for each direction.
#[derive(Debug, Default)]
pub(super) struct Peers {
    publisher: Peer,
    subscriber: Option<Peer>,
}

#[derive(Debug, Default)]
struct Peer {
    up: bool,
    /// The server's description is there, so that its candidates can be taken.
    described: bool,
    early: Vec<String>,
}

impl Peers {
    pub(super) fn new(dual: bool) -> Self {
        Self { publisher: Peer::default(), subscriber: dual.then(Peer::default) }
    }

    pub(super) fn set_up(&mut self, role: Role, up: bool) {
        if let Some(peer) = self.peer(role) {
            peer.up = up;
        }
    }

    /// A candidate of the server; returns it when it can be used now. One that is early is kept.
    pub(super) fn candidate(&mut self, role: Role, candidate: String) -> Option<String> {
        let peer = self.peer(role)?;
        if peer.described {
            return Some(candidate);
        }
        if peer.early.len() < MAX_EARLY {
            peer.early.push(candidate);
        }
        None
    }

    /// The server's description is there; returns the candidates that came before it.
    pub(super) fn described(&mut self, role: Role) -> Vec<String> {
        let Some(peer) = self.peer(role) else { return Vec::new() };
        peer.described = true;
        std::mem::take(&mut peer.early)
    }

    /// Whether media can flow.
    pub(super) fn is_up(&self) -> bool {
        self.publisher.up && self.subscriber.as_ref().is_none_or(|peer| peer.up)
    }

    pub(super) fn is_publisher_up(&self) -> bool {
        self.publisher.up
    }

    fn peer(&mut self, role: Role) -> Option<&mut Peer> {
        match role {
            Role::Publisher => Some(&mut self.publisher),
            Role::Subscriber => self.subscriber.as_mut(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn early_candidates_wait_for_the_description() {
        let mut peers = Peers::new(true);
        assert_eq!(peers.candidate(Role::Publisher, "a".into()), None);
        assert_eq!(peers.described(Role::Publisher), ["a"]);
        assert_eq!(peers.candidate(Role::Publisher, "b".into()).as_deref(), Some("b"));
        assert_eq!(peers.candidate(Role::Subscriber, "c".into()), None, "each connection for itself");
        for _ in 0..2 * MAX_EARLY {
            peers.candidate(Role::Subscriber, "d".into());
        }
        assert_eq!(peers.described(Role::Subscriber).len(), MAX_EARLY);
    }

    #[test]
    fn two_connections_are_up_when_both_are() {
        let mut peers = Peers::new(true);
        peers.set_up(Role::Publisher, true);
        assert!(!peers.is_up() && peers.is_publisher_up());
        peers.set_up(Role::Subscriber, true);
        assert!(peers.is_up());
    }
}
