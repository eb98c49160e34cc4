//! Budgets: what a call can cost at most is set aside before it goes out and settled by what it
//! did cost, so that no budget is passed, however many calls are in flight.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Money;
use super::day::Day;
use crate::stage::Failure;

/// What the calls of a run may cost.
#[derive(Debug, Default)]
pub struct Budgets {
    /// All of them.
    pub run: Option<Money>,
    /// Those of all runs of this day.
    pub day: Option<Day>,
    /// Those of a node.
    pub nodes: Vec<(String, Money)>,
}

impl Budgets {
    /// Whether the calls of a node have any.
    pub fn bind(&self, node: &str) -> bool {
        self.run.is_some()
            || self.day.is_some()
            || self.nodes.iter().any(|(bound, _)| bound == node)
    }
}

/// The money of a run.
#[derive(Debug)]
pub(crate) struct Purse {
    accounts: Mutex<Vec<Account>>,
    /// Told whenever something that was set aside is settled.
    settled: Notify,
}

#[derive(Debug)]
struct Account {
    of: Whose,
    most: Money,
    spent: Money,
    /// Set aside for calls that are in flight.
    held: Money,
}

#[derive(Debug)]
enum Whose {
    Run,
    Day(Day),
    Node(String),
}

/// What stands in the way of a call.
enum Refusal {
    /// Others in flight may turn out cheaper than they might have.
    Later,
    /// It is more than is left.
    Never(Failure),
}

impl Purse {
    pub(crate) fn new(budgets: Budgets) -> Self {
        let account = |of, most| Account { of, most, spent: Money::ZERO, held: Money::ZERO };
        let run = budgets.run.map(|most| account(Whose::Run, most));
        let nodes = budgets.nodes.into_iter().map(|(node, most)| account(Whose::Node(node), most));
        let day = budgets.day.map(|day| {
            let most = day.most;
            account(Whose::Day(day), most)
        });
        // The day's comes last: it is the only one that the world can refuse.
        let accounts = nodes.chain(run).chain(day).collect();
        Self { accounts: Mutex::new(accounts), settled: Notify::new() }
    }

    fn accounts(&self) -> MutexGuard<'_, Vec<Account>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether calls of a node must set money aside.
    pub(crate) fn binds(&self, node: &str) -> bool {
        self.accounts().iter().any(|account| account.concerns(node))
    }

    /// Sets aside what a call of a node can cost at most; waits while calls in flight may leave
    /// enough.
    pub(crate) async fn hold(&self, node: &str, most: Money) -> Result<Hold<'_>, Failure> {
        loop {
            let mut settled = std::pin::pin!(self.settled.notified());
            settled.as_mut().enable();
            match self.try_hold(node, most) {
                Ok(()) => {
                    return Ok(Hold {
                        purse: self,
                        node: node.to_owned(),
                        most,
                        state: State::Kept,
                    });
                }
                Err(Refusal::Never(failure)) => return Err(failure),
                Err(Refusal::Later) => settled.await,
            }
        }
    }

    fn try_hold(&self, node: &str, most: Money) -> Result<(), Refusal> {
        let mut accounts = self.accounts();
        for account in accounts.iter_mut().filter(|account| account.concerns(node)) {
            account.admit(most)?;
        }
        for account in accounts.iter_mut().filter(|account| account.concerns(node)) {
            account.held += most;
        }
        Ok(())
    }

    fn settle(&self, node: &str, most: Money, cost: Money) {
        for account in self.accounts().iter_mut().filter(|account| account.concerns(node)) {
            account.held = account.held.less(most);
            account.spent += cost;
            if let Whose::Day(day) = &account.of {
                day.settle(most, cost);
            }
        }
        self.settled.notify_waiters();
    }
}

impl Account {
    fn concerns(&self, node: &str) -> bool {
        !matches!(&self.of, Whose::Node(own) if own != node)
    }

    /// Whether a call that costs so much at most still fits.
    fn admit(&self, most: Money) -> Result<(), Refusal> {
        let spent = match &self.of {
            Whose::Day(day) => match day.take(most).map_err(Refusal::Never)? {
                Ok(()) => return Ok(()),
                Err(spent) => spent.less(self.held),
            },
            _ if self.spent + self.held + most <= self.most => return Ok(()),
            _ => self.spent,
        };
        if self.held > Money::ZERO && spent + most <= self.most {
            return Err(Refusal::Later);
        }
        let whose = match &self.of {
            Whose::Run => "this run".to_owned(),
            Whose::Day(_) => "the day".to_owned(),
            Whose::Node(node) => format!("`{node}`"),
        };
        let budget = self.most;
        Err(Refusal::Never(Failure::over_budget(format!(
            "{spent} of the budget of {budget} for {whose} is spent, and the next call may cost {most}"
        ))))
    }
}

/// Money that is set aside for a call. When the call is lost, it counts as spent: the server may
/// have done its work.
#[derive(Debug)]
pub(crate) struct Hold<'a> {
    purse: &'a Purse,
    node: String,
    most: Money,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The call has not gone out.
    Kept,
    /// The call may have cost anything up to the whole.
    Sent,
    Settled,
}

impl Hold<'_> {
    /// The call goes out.
    pub(crate) fn sent(&mut self) {
        self.state = State::Sent;
    }

    /// The call has cost so much.
    pub(crate) fn settle(&mut self, cost: Money) {
        if self.state != State::Settled {
            self.state = State::Settled;
            self.purse.settle(&self.node, self.most, cost);
        }
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        let cost = if self.state == State::Sent { self.most } else { Money::ZERO };
        self.settle(cost);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::stage::FailureKind;

    fn purse(run: f64, node: f64) -> Purse {
        let nodes = vec![("a".to_owned(), Money::dollars(node))];
        Purse::new(Budgets { run: Some(Money::dollars(run)), nodes, day: None })
    }

    #[tokio::test(start_paused = true)]
    async fn sixty_four_calls_in_flight_never_pass_a_budget() {
        for (run, node, most) in [(1.0, 9.0, 1.0), (9.0, 1.0, 1.0), (0.5, 0.7, 0.5)] {
            let (purse, spent) = (purse(run, node), AtomicU64::new(0));
            let calls = (0..64_u64).map(|nth| {
                let (purse, spent) = (&purse, &spent);
                async move {
                    let mut made = 0;
                    loop {
                        let Ok(mut hold) = purse.hold("a", Money::dollars(0.01)).await else {
                            return made;
                        };
                        hold.sent();
                        tokio::time::sleep(Duration::from_millis(nth * 7 % 50 + 1)).await;
                        let cost = Money::dollars([0.01, 0.004, 0.0][fastrand::usize(..3)]);
                        hold.settle(cost);
                        spent.fetch_add(cost.parts(), Ordering::Relaxed);
                        made += 1;
                    }
                }
            });
            let made: Vec<u64> = futures::future::join_all(calls).await;
            let spent = Money::from_parts(spent.into_inner());
            assert!(spent <= Money::dollars(most), "{spent}");
            // And what is left is less than a call.
            assert!(spent + Money::dollars(0.01) > Money::dollars(most), "{spent} {made:?}");
        }
    }

    #[tokio::test]
    async fn a_call_that_is_lost_counts_as_spent_and_one_that_never_went_out_does_not() {
        let purse = purse(1.0, 1.0);
        drop(purse.hold("a", Money::dollars(1.0)).await);
        let mut lost = purse.hold("a", Money::dollars(0.6)).await.unwrap();
        lost.sent();
        drop(lost);
        let mut free = purse.hold("b", Money::dollars(0.4)).await.unwrap();
        free.sent();
        free.settle(Money::ZERO);
        let failure = purse.hold("a", Money::dollars(0.5)).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::OverBudget);
        assert_eq!(
            failure.reason,
            "$0.6000 of the budget of $1.00 for `a` is spent, and the next call may cost $0.5000"
        );
        assert!(purse.hold("b", Money::dollars(0.4)).await.is_ok());
    }
}
