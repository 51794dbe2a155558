//! Methods at equal compute, in the background.

use super::message::RequestId;
use super::steer_message::BudgetRequest;
use super::worker::{JobError, JobResult, Worker};

impl Worker {
    pub fn budget(&mut self, _id: RequestId, _request: BudgetRequest) -> JobResult {
        Err(JobError::Failed("not there yet".into()))
    }
}
