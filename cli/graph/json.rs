//! A graph as JSON, for programs.

use super::Drawing;

/// The drawing as it stands, edges pointing at places in the list of nodes.
pub(super) fn json(drawing: &Drawing) -> String {
    // Strings, numbers and lists alone: writing them cannot fail.
    let mut text = serde_json::to_string_pretty(drawing).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::samples;

    #[test]
    fn the_json_has_every_node_and_edge() {
        let value: serde_json::Value = serde_json::from_str(&json(&samples::interviews())).unwrap();
        assert_eq!(value["nodes"].as_array().map(Vec::len), Some(8));
        assert_eq!(value["nodes"][2]["shape"], "map");
        assert_eq!(
            value["edges"][7],
            serde_json::json!({"from": 2, "to": 7, "failed": true, "port": 0})
        );
    }
}
