//! Long commands under way, by the id under which their progress is asked for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use node_storage::Job;
use uuid::Uuid;

/// The long commands of one host.
#[derive(Clone, Default)]
pub(crate) struct Jobs(Arc<Mutex<HashMap<Uuid, Job>>>);

/// A job that is listed while this lives.
pub(crate) struct Listed {
    jobs: Jobs,
    id: Uuid,
    job: Job,
}

impl Listed {
    pub(crate) fn job(&self) -> &Job {
        &self.job
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.jobs
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.id);
    }
}

impl Jobs {
    /// Lists a job that begins.
    pub(crate) fn begin(&self, id: Uuid) -> Listed {
        let job = Job::new();
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, job.clone());
        Listed {
            jobs: self.clone(),
            id,
            job,
        }
    }

    fn find(&self, id: Uuid) -> Option<Job> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .cloned()
    }

    pub(crate) fn progress(&self, id: Uuid) -> Option<u32> {
        self.find(id).map(|job| job.permille())
    }

    pub(crate) fn cancel(&self, id: Uuid) {
        if let Some(job) = self.find(id) {
            job.cancel();
        }
    }
}
