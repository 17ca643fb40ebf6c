//! The media of one call: its ports, its offer/answer, its line on the plane.

use std::future::pending;

use bytes::Bytes;
use media::sdp::{Codec, Direction, Exchange, Local, Policy, Session};
use tokio::sync::mpsc;

use super::{Inbound, Parts, Settings};
use crate::call::end::EndReason;
use crate::plane::{self, Command, Line, LineEvent, LineHandle, PeerEvent, Plane, Role, Spec};
