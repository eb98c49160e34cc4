//! What a report says, whatever the file that it is written to.

use std::collections::BTreeMap;

use flow_engine::door::Money;
use flow_engine::report::{NodeReport, Usage, by_model};
use flow_engine::words::counted;
use serde::Serialize;

use super::tally::{KindCount, MOST_KINDS, Tally};
use super::validation::checks;

/// All that a report says.
#[derive(Debug, Serialize)]
pub(super) struct Content {
    pub(super) title: String,
    /// Whether every check passed.
    pub(super) valid: bool,
    /// How the entities were found.
    pub(super) methods: Vec<MethodRow>,
    pub(super) entities: u64,
    /// Entities whose quote stands nowhere in the text.
    pub(super) ungrounded: u64,
    pub(super) validation: Vec<CheckRow>,
    pub(super) kinds: Vec<KindRow>,
    pub(super) inputs: Vec<InputRow>,
    pub(super) rejects: Vec<RejectRow>,
    pub(super) nodes: Vec<NodeRow>,
    /// What all calls used.
    pub(super) usage: Usage,
    /// The same by model, of the calls that were answered.
    pub(super) models: BTreeMap<String, Usage>,
    /// What is counted together, because there is too much of it.
    pub(super) remarks: Vec<String>,
}

/// A way in which entities were found.
#[derive(Debug, Serialize)]
pub(super) struct MethodRow {
    pub(super) method: String,
    pub(super) entities: u64,
    pub(super) meaning: String,
}

/// Something that must hold.
#[derive(Debug, Serialize)]
pub(super) struct CheckRow {
    pub(super) check: &'static str,
    pub(super) passed: bool,
    pub(super) detail: String,
}

/// What there is of a kind.
#[derive(Debug, Serialize)]
pub(super) struct KindRow {
    pub(super) kind: String,
    pub(super) entities: u64,
    pub(super) mean_confidence: Option<f64>,
    pub(super) most_frequent: Vec<NameRow>,
}

/// How often a name comes.
#[derive(Debug, Serialize)]
pub(super) struct NameRow {
    pub(super) name: String,
    pub(super) entities: u64,
    pub(super) mentions: u64,
}

/// What there is of an input.
#[derive(Debug, Serialize)]
pub(super) struct InputRow {
    pub(super) input: String,
    /// Records of it that were to be processed.
    pub(super) records: u64,
    pub(super) entities: u64,
    pub(super) rejects: u64,
}

/// A record that could not be used.
#[derive(Debug, Serialize)]
pub(super) struct RejectRow {
    pub(super) input: String,
    pub(super) node: String,
    pub(super) reason: String,
    pub(super) times: u64,
}

/// The account of a node.
#[derive(Debug, Serialize)]
pub(super) struct NodeRow {
    pub(super) node: String,
    pub(super) stage: String,
    #[serde(rename = "in")]
    pub(super) received: u64,
    pub(super) passed: u64,
    pub(super) filtered: u64,
    pub(super) rejected: u64,
    pub(super) pending: u64,
    pub(super) out: u64,
    pub(super) calls: u64,
    pub(super) input_tokens: u64,
    pub(super) cached_tokens: u64,
    pub(super) output_tokens: u64,
    /// In US dollars, as far as it is known.
    pub(super) cost: Money,
    /// Calls of unknown price.
    pub(super) unpriced: u64,
    /// Calls that brought no answer.
    pub(super) lost: u64,
    /// What they cost at most, as far as that is known; not in `cost`.
    pub(super) lost_cost: Money,
    /// Of them, those of which it is not known.
    pub(super) lost_unpriced: u64,
}

impl Content {
    /// From the counts, the kinds that must have data, and the accounts of all nodes.
    pub(super) fn new(
        title: &str,
        tally: &Tally,
        top: usize,
        expect: &[String],
        nodes: &[NodeReport],
    ) -> Self {
        let validation = checks(tally, expect, nodes);
        Self {
            title: title.to_owned(),
            valid: validation.iter().all(|check| check.passed),
            methods: methods(tally),
            entities: tally.kinds.values().map(|kind| kind.entities).sum::<u64>()
                + tally.other_kinds,
            ungrounded: tally.ungrounded,
            validation,
            kinds: kinds(tally, top, expect),
            inputs: inputs(tally),
            rejects: rejects(tally),
            nodes: nodes.iter().map(node).collect(),
            usage: nodes.iter().map(|node| node.usage).sum(),
            models: by_model(nodes),
            remarks: remarks(tally),
        }
    }
}

fn methods(tally: &Tally) -> Vec<MethodRow> {
    let meaning = |method: &str| match method {
        "rules" => "cue words, patterns and word lists, not a language model".to_owned(),
        model => format!("the language model {model}"),
    };
    let methods = tally.methods.iter();
    methods
        .map(|(method, entities)| MethodRow {
            method: method.clone(),
            entities: *entities,
            meaning: meaning(method),
        })
        .collect()
}

/// The expected kinds in their order, then the others by name.
fn kinds(tally: &Tally, top: usize, expect: &[String]) -> Vec<KindRow> {
    let none = KindCount::default();
    let others = tally.kinds.keys().filter(|kind| !expect.contains(kind));
    let all = expect.iter().chain(others);
    all.map(|kind| {
        let count = tally.kinds.get(kind).unwrap_or(&none);
        KindRow {
            kind: kind.clone(),
            entities: count.entities,
            mean_confidence: mean(count),
            most_frequent: most_frequent(count, top),
        }
    })
    .collect()
}

fn mean(count: &KindCount) -> Option<f64> {
    let thousandths =
        count.confidence.checked_add(count.confident / 2)?.checked_div(count.confident)?;
    u32::try_from(thousandths).ok().map(|thousandths| f64::from(thousandths) / 1000.0)
}

fn most_frequent(count: &KindCount, top: usize) -> Vec<NameRow> {
    let mut names: Vec<_> = count.names.values().collect();
    names.sort_by(|a, b| {
        (b.entities, b.mentions).cmp(&(a.entities, a.mentions)).then(a.spelling.cmp(&b.spelling))
    });
    let names = names.into_iter().take(top);
    names
        .map(|name| NameRow {
            name: name.spelling.clone(),
            entities: name.entities,
            mentions: name.mentions,
        })
        .collect()
}

fn inputs(tally: &Tally) -> Vec<InputRow> {
    let inputs = tally.inputs.iter();
    inputs
        .map(|(input, count)| InputRow {
            input: input.clone(),
            records: count.records,
            entities: count.entities,
            rejects: count.rejects,
        })
        .collect()
}

fn rejects(tally: &Tally) -> Vec<RejectRow> {
    let rejects = tally.rejects.iter();
    rejects
        .map(|(key, times)| RejectRow {
            input: key.input.clone(),
            node: key.node.clone(),
            reason: key.reason.clone(),
            times: *times,
        })
        .collect()
}

fn node(node: &NodeReport) -> NodeRow {
    NodeRow {
        node: node.node.clone(),
        stage: node.stage.clone(),
        received: node.received,
        passed: node.passed,
        filtered: node.filtered,
        rejected: node.rejected,
        pending: node.pending,
        out: node.out,
        calls: node.usage.calls,
        input_tokens: node.usage.input_tokens,
        cached_tokens: node.usage.cached_tokens,
        output_tokens: node.usage.output_tokens,
        cost: node.usage.cost,
        unpriced: node.usage.unpriced,
        lost: node.usage.lost,
        lost_cost: node.usage.lost_cost,
        lost_unpriced: node.usage.lost_unpriced,
    }
}

fn remarks(tally: &Tally) -> Vec<String> {
    let mut remarks = Vec::new();
    if tally.other_kinds > 0 {
        remarks.push(format!(
            "{} entities of other kinds are counted together: there are more than {MOST_KINDS} kinds",
            tally.other_kinds
        ));
    }
    if tally.uncounted_inputs > 0 {
        let records = counted(tally.uncounted_inputs, "record");
        remarks.push(format!("not listed: {records} of further inputs"));
    }
    if tally.unnamed_rejects > 0 {
        remarks.push(format!("not listed: {}", counted(tally.unnamed_rejects, "further reject")));
    }
    for (kind, count) in tally.kinds.iter().filter(|(_, count)| count.other_names > 0) {
        remarks
            .push(format!("`{kind}`: {} with further names", counted(count.other_names, "entity")));
    }
    remarks
}
