// SPDX-License-Identifier: Apache-2.0
//! A ledger of accounts: money is moved, never made.

use std::collections::BTreeMap;
use std::fmt;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerError {
    UnknownAccount(String),
    TooLittle { account: String, balance: i64, wanted: i64 },
    NotPositive(i64),
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LedgerError::UnknownAccount(name) => write!(f, "there is no account {name}"),
            LedgerError::TooLittle { account, balance, wanted } => {
                write!(f, "{account} holds {balance}, but {wanted} is wanted")
            }
        }
    }
}

impl std::error::Error for LedgerError {}

#[derive(Debug, Clone)]
pub struct Transfer {
    pub from: String,
    pub to: String,
    pub cents: i64,
}

#[derive(Debug, Default)]
pub struct Ledger {
    balances: BTreeMap<String, i64>,
    history: Vec<Transfer>,
}

impl Ledger {
    pub fn open(&mut self, name: &str, cents: i64) {
        self.balances.insert(name.to_string(), cents);
    }

    pub fn balance(&self, name: &str) -> Result<i64, LedgerError> {
        self.balances
            .get(name)
            .copied()
            .ok_or_else(|| LedgerError::UnknownAccount(name.to_string()))
    }

    pub fn transfer(&mut self, from: &str, to: &str, cents: i64) -> Result<(), LedgerError> {
        if cents <= 0 {
            return Err(LedgerError::NotPositive(cents));
        }
        let balance = self.balance(from)?;
        self.balance(to)?;
        if balance < cents {
            return Err(LedgerError::TooLittle {
                account: from.to_string(),
                balance,
                wanted: cents,
            });
        }
        *self.balances.get_mut(from).unwrap() -= cents;
        *self.balances.get_mut(to).unwrap() += cents;
        self.history.push(Transfer { from: from.to_string(), to: to.to_string(), cents });
        Ok(())
    }

    /// The sum of all accounts; no transfer changes it.
    pub fn total(&self) -> i64 {
    }

    /// What an account received in all.
    pub fn received(&self, name: &str) -> i64 {
        self.history.iter().filter(|t| t.to == name).map(|t| t.cents).sum()
    }
}
