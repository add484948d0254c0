// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whether a sequence is a merge of others. The hardware promises the order of frames from one source, not between sources.

use std::collections::HashSet;

/// Whether `merged` holds exactly the items of `parts`, those of each part in their order. If not, the longest beginning
/// of `merged` that could still be one.
pub fn check<T: PartialEq>(merged: &[T], parts: &[Vec<T>]) -> Result<(), usize> {
    let mut longest = 0;
    let mut seen = HashSet::new();
    let mut open = vec![vec![0usize; parts.len()]];
    while let Some(taken) = open.pop() {
        let position: usize = taken.iter().sum();
        longest = longest.max(position);
        let done = taken.iter().zip(parts).all(|(taken, part)| *taken == part.len());
        if done && position == merged.len() {
            return Ok(());
        }
        let Some(item) = merged.get(position) else { continue };
        for (i, part) in parts.iter().enumerate() {
            if part.get(taken[i]) == Some(item) {
                let mut next = taken.clone();
                next[i] += 1;
                if seen.insert(next.clone()) {
                    open.push(next);
                }
            }
        }
    }
    Err(longest)
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_merge_keeps_the_order_of_each_part() {
        let parts = [vec![1, 2, 1], vec![1, 3]];
        assert_eq!(check(&[1, 1, 2, 3, 1], &parts), Ok(()));
        assert_eq!(check(&[1, 3, 1, 2, 1], &parts), Ok(()));
        assert_eq!(check(&[1, 1, 3, 1, 2], &parts), Err(3));
    }

    #[test]
    fn nothing_may_be_missing_or_left_over() {
        assert_eq!(check(&[1], &[vec![1, 2]]), Err(1));
        assert_eq!(check(&[1, 2, 3], &[vec![1, 2]]), Err(2));
        assert_eq!(check::<u8>(&[], &[]), Ok(()));
    }
}
