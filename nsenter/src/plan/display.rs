//! A plan as text: one line a step, for people who review what will happen.

use std::fmt;

use super::Plan;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.steps().iter().enumerate() {
            writeln!(f, "{index} {}: {:?}", step.context, step.op)?;
        }
        Ok(())
    }
}
