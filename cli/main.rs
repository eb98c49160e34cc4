//! `flow`: pipelines of documents, models and stores from a file, on the command line.

mod graph;
mod number;

fn main() {
    let _ = (graph::FORMATS, graph::Drawing::of, graph::Drawing::draw);
}
