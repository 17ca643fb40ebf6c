//! Why a call ended, and what follows from it.
