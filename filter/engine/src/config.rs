//! From a document to a [`Policy`](crate::Policy): decoded, checked and compiled, with every mistake reported at once.

mod error;
mod node;

pub use error::PolicyError;
pub use node::{Key, Node, NodeValue};
