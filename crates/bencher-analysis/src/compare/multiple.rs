//! Many comparisons at once: of two hundred that did not change, ten have a p-value of at most 0.05.

/// The p-values of Benjamini and Hochberg (1995): those of at most q hold, on average, a share of false ones of at most q.
/// What has no p-value is no comparison and keeps none.
pub(super) fn adjust(p_values: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut order: Vec<(usize, f64)> = p_values.iter().enumerate().filter_map(|(number, p)| Some((number, (*p)?))).collect();
    order.sort_by(|(_, one), (_, other)| one.total_cmp(other));
    let mut adjusted = vec![None; p_values.len()];
    let mut least = 1.0_f64;
    for (rank, (number, p)) in order.iter().enumerate().rev() {
        #[expect(clippy::cast_precision_loss, reason = "nobody compares 2^53 benchmarks")]
        let (all, rank) = (order.len() as f64, (rank + 1) as f64);
        least = least.min(p * all / rank);
        adjusted[*number] = Some(least);
    }
    adjusted
}
