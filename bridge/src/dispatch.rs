//! Which trunk and which rule take a call.
