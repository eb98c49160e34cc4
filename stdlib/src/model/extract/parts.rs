//! A wide schema in parts: so many kinds at once as a model can keep in mind.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use flow_engine::prelude::*;

use crate::model::schema::{EntitySchema, Kind, answer_schema};

/// Bytes that make about one token.
const BYTES_PER_TOKEN: usize = 4;

/// Kinds that are asked for in one call.
#[derive(Debug)]
pub(super) struct Part {
    /// Them, and nothing else of the schema.
    pub(super) schema: EntitySchema,
    /// The schema of the answer, for the wire.
    pub(super) answer: Value,
    /// What the model is told, when it is the same for every record.
    pub(super) system: OnceLock<Arc<str>>,
}

/// The kinds of a schema in as few parts as a budget of tokens allows, each about as large as the
/// others. A kind that is larger than the budget is a part of its own.
pub(super) fn parts(schema: &EntitySchema, budget: usize) -> Vec<Part> {
    let sizes: Vec<usize> = schema.kinds.iter().map(tokens).collect();
    let least = sizes.iter().sum::<usize>().div_ceil(budget.max(1)).max(1);
    let fits = |group: &Range<usize>| {
        group.len() == 1 || sizes[group.clone()].iter().sum::<usize>() <= budget
    };
    let groups = (least..sizes.len()).map(|count| split(&sizes, count));
    let groups = groups.into_iter().find(|groups| groups.iter().all(fits));
    let groups = groups.unwrap_or_else(|| split(&sizes, sizes.len()));
    groups.into_iter().map(|group| part(schema, schema.kinds[group].to_vec())).collect()
}

/// Sizes in so many groups of about the same sum, at most; none is empty.
fn split(sizes: &[usize], count: usize) -> Vec<Range<usize>> {
    let mut left: usize = sizes.iter().sum();
    let mut groups = Vec::with_capacity(count);
    let mut start = 0;
    for groups_left in (1..=count).rev() {
        let fair = left.div_ceil(groups_left);
        let mut sum = 0;
        let mut end = start;
        // The kind in the middle belongs to the group that has more of it.
        while end < sizes.len() && (end == start || 2 * sum + sizes[end] <= 2 * fair) {
            sum += sizes[end];
            end += 1;
        }
        if end > start {
            groups.push(start..end);
        }
        left -= sum;
        start = end;
    }
    groups
}

fn part(schema: &EntitySchema, kinds: Vec<Kind>) -> Part {
    let schema = EntitySchema { kinds, skip_speakers: schema.skip_speakers.clone() };
    Part { answer: answer_schema(&schema), schema, system: OnceLock::new() }
}

/// What a kind costs in every call: told in the prompt, and asked for in the schema of the answer.
fn tokens(kind: &Kind) -> usize {
    let alone = EntitySchema { kinds: vec![kind.clone()], skip_speakers: Vec::new() };
    answer_schema(&alone).to_string().len() / BYTES_PER_TOKEN
}
