//! What tokens cost, and sums of money that are exact.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Tokens;

/// Parts of a dollar that a sum is counted in, so that the cheapest token is a whole number.
const PER_DOLLAR: f64 = 1e12;
/// Tokens that prices are given for.
const PER: f64 = 1e6;

/// An amount in US dollars, counted in millionths of a millionth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(u64);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// So many dollars; nothing when negative.
    pub fn dollars(dollars: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a cast from a float keeps to the bounds"
        )]
        Self((dollars * PER_DOLLAR).round() as u64)
    }

    /// In dollars.
    pub fn as_dollars(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "shown, not counted on")]
        let parts = self.0 as f64;
        parts / PER_DOLLAR
    }

    /// In millionths of a millionth of a dollar.
    pub const fn parts(self) -> u64 {
        self.0
    }

    /// From millionths of a millionth of a dollar.
    pub const fn from_parts(parts: u64) -> Self {
        Self(parts)
    }

    /// What is left after `other`, or nothing.
    #[must_use]
    pub const fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Self::add)
    }
}

/// `$0.0042`: two places from a dollar on, four significant ones below.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dollars = self.as_dollars();
        match dollars {
            _ if self.0 == 0 => f.write_str("$0"),
            1.0.. => write!(f, "${dollars:.2}"),
            0.01..1.0 => write!(f, "${dollars:.4}"),
            _ => write!(f, "${dollars:.6}"),
        }
    }
}

/// As dollars.
impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.as_dollars())
    }
}

/// From dollars.
impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer).map(Self::dollars)
    }
}

/// What a model costs, in US dollars for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Price {
    /// Sent.
    pub input: f64,
    /// Sent, and read from a cache of the server.
    pub cached: f64,
    /// Received.
    pub output: f64,
}

impl Price {
    /// What a call of so many tokens costs.
    pub fn of(&self, tokens: Tokens) -> Money {
        let fresh = tokens.input.saturating_sub(tokens.cached);
        let parts =
            [(fresh, self.input), (tokens.cached, self.cached), (tokens.output, self.output)];
        #[expect(clippy::cast_precision_loss, reason = "token counts are far below 2^52")]
        let dollars = parts.iter().map(|(count, price)| *count as f64 * price / PER);
        Money::dollars(dollars.sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_costs_what_its_tokens_cost() {
        let price = Price { input: 0.15, cached: 0.075, output: 0.6 };
        for (input, cached, output, shown) in [
            (0, 0, 0, "$0"),
            (1, 0, 0, "$0.000000"),
            (1_000_000, 0, 0, "$0.1500"),
            (1_000_000, 1_000_000, 0, "$0.0750"),
            (10_000_000, 4_000_000, 1_000_000, "$1.80"),
            (1000, 0, 200, "$0.000270"),
        ] {
            let cost = price.of(Tokens { input, cached, output });
            assert_eq!(cost.to_string(), shown, "{input} {cached} {output}");
        }
        let one = price.of(Tokens { input: 1, ..Tokens::default() });
        assert_eq!((one.parts(), Money::from_parts(one.parts())), (150_000, one));
    }

    #[test]
    fn sums_are_exact() {
        let sum: Money = std::iter::repeat_n(Money::dollars(0.1), 10).sum();
        assert_eq!((sum, sum.less(Money::dollars(2.0))), (Money::dollars(1.0), Money::ZERO));
    }
}
