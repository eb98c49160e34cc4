//! Calls that take many records: their batches are full, whoever the records came from.

use tokio::time::Instant;

use super::*;

/// A call that takes 200 ms, and 2 ms more for each record.
struct Embedding {
    calls: Arc<AtomicUsize>,
}

fn latency(records: usize) -> Duration {
    Duration::from_millis(200 + 2 * records as u64)
}

#[async_trait]
impl Call for Embedding {
    async fn apply(&self, batch: &[Record], _: &CallContext) -> Vec<Result<Vec<Record>, Failure>> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(latency(batch.len())).await;
        batch.iter().map(|record| Ok(vec![record.clone()])).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn batches_are_formed_across_documents() {
    const CHUNKS: usize = 20_000;
    const BATCH: usize = 96;
    for (of_a_document, parallelism) in [(20, 8), (20, 16), (7, 16), (500, 8)] {
        let mut graph = Graph::new();
        let chunks = Numbers { next: 0, end: CHUNKS as u64, most: of_a_document, bad: None };
        let chunks = graph.node("chunks", Stage::Source(Box::new(chunks)), hints(), &[]);
        let calls = Arc::new(AtomicUsize::new(0));
        let stage = Stage::Call(Arc::new(Embedding { calls: Arc::clone(&calls) }));
        let many = Resolved { parallelism, batch_size: BATCH, buffer: 2 * BATCH, ..hints() };
        let vectors = graph.node("vectors", stage, many, &[chunks]);
        let (sink, kept) = keep();
        let wide = Resolved { batch_size: 100, buffer: 200, ..hints() };
        graph.node("kept", sink, wide, &[vectors]);
        let start = Instant::now();
        graph.run().await;
        let makespan = start.elapsed();

        let (calls, least) = (calls.load(Ordering::Relaxed), CHUNKS.div_ceil(BATCH));
        assert_eq!(kept.sorted().len(), CHUNKS);
        assert!(calls <= least + least / 100, "{calls} calls, not {least}");
        let rounds = u32::try_from(least.div_ceil(parallelism)).unwrap();
        let ideal = latency(BATCH) * rounds;
        assert!(makespan <= ideal.mul_f64(1.1), "{makespan:?}, ideally {ideal:?}");
    }
}
