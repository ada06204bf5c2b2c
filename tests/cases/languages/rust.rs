use std::collections::HashMap;
extern crate serde;
mod cup;

const LIMIT: usize = 3;

/// Holds cups.
pub struct Shelf<'a> {
    cups: HashMap<&'a str, usize>,
}

pub enum Size {
    Small,
    Large,
}

pub trait Filter {
    fn keep(&self, cup: &str) -> bool;
}

impl<'a> Shelf<'a> {
    pub fn count(&self) -> usize {
        // Never more than the limit.
        if self.cups.len() > LIMIT {
            return LIMIT;
        }
        match self.cups.get("tea") {
            Some(n) => *n,
            None => 0,
        }
    }
}

impl Filter for Size {
    fn keep(&self, cup: &str) -> bool {
        !cup.is_empty()
    }
}

type Cups = Vec<String>;

macro_rules! pour {
    ($cup:expr) => {
        $cup.fill()
    };
}

mod tests {
    fn works() {}
}
