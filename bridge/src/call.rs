//! One call, inbound or outbound, from INVITE to its end.

pub mod driver;
pub mod end;
