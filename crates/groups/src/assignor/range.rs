//! `range`: contiguous runs of each topic, handed out in a fixed order of the members.
//!
//! Members with equal subscriptions get the same partition numbers of topics with equally many partitions, which is
//! what joins of streams need. Static members come first, in the order of their instance ids, so that their runs do
//! not change when they return under another member id.

use super::{Assignment, GroupSpec, MemberSpec};

/// A topic while it is handed out.
struct Run {
    subscribers: i32,
    extra: i32,
    next: i32,
}

pub(super) fn assign(group: &GroupSpec<'_>) -> Vec<Assignment> {
    let mut runs: Vec<Run> = group
        .topics
        .iter()
        .map(|_| Run {
            subscribers: 0,
            extra: 0,
            next: 0,
        })
        .collect();
    for member in &group.members {
        for &topic in &*member.topics {
            runs[topic].subscribers += 1;
        }
    }
    for (run, (_, partitions)) in runs.iter_mut().zip(&group.topics) {
        if run.subscribers > 0 {
            run.extra = partitions % run.subscribers;
        }
    }
    let mut order: Vec<usize> = (0..group.members.len()).collect();
    order.sort_by(|a, b| rank(&group.members[*a]).cmp(&rank(&group.members[*b])));
    let mut assignments = vec![Assignment::new(); group.members.len()];
    for index in order {
        for &topic in &*group.members[index].topics {
            let (id, partitions) = group.topics[topic];
            let run = &mut runs[topic];
            let mut quota = partitions / run.subscribers;
            if run.extra > 0 {
                quota += 1;
                run.extra -= 1;
            }
            if quota > 0 {
                assignments[index].insert(id, (run.next..run.next + quota).collect());
                run.next += quota;
            }
        }
    }
    assignments
}

/// Static members before the others, each kind in the order of its ids.
fn rank<'a>(member: &'a MemberSpec<'_>) -> (bool, &'a str) {
    match member.instance_id {
        Some(instance_id) => (false, instance_id.as_str()),
        None => (true, member.member_id.as_str()),
    }
}
