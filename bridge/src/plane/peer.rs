//! One WebRTC peer connection with its UDP socket. The only file that names `rtc`.
