//! What the gateway may ask of the box.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::sync::{Host, HostFuture, SyncStatus};
use protocol::{CallCounts, CommandRequest, Desired, LogLevel, OutboxReport, Reported};

use super::{store_lines, tell};
use crate::app::Parts;
use crate::commands::doctor;
use crate::logging::LogControl;
use crate::test_call;

/// The box.
pub(super) struct BoxHost {
    parts: Arc<Parts>,
    logs: Option<LogControl>,
    vitals: Mutex<Option<Reported>>,
}

impl BoxHost {
    pub(super) fn new(parts: Arc<Parts>, logs: Option<LogControl>) -> Self {
        Self { parts, logs, vitals: Mutex::new(None) }
    }

    /// Notes how the machine is.
    pub(super) fn set_vitals(&self, vitals: Reported) {
        *self.vitals.lock().unwrap_or_else(PoisonError::into_inner) = Some(vitals);
    }
}

impl Host for BoxHost {
    fn wall_ms(&self) -> Option<u64> {
        let clock = self.parts.clock;
        clock.is_set().then(|| clock.wall_ms())
    }

    fn apply(&self, desired: &Desired) -> Result<(), String> {
        let level = desired.config.log_level.unwrap_or(LogLevel::Warn);
        if let Some(logs) = &self.logs {
            logs.set_level(level);
        }
        tracing::info!(version = desired.version, log_level = %level, "the gateway's wish is in force");
        Ok(())
    }

    fn report(&self) -> Reported {
        let parts = &self.parts;
        let vitals = self.vitals.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let metrics = &parts.metrics;
        let mut report = Reported {
            at_ms: self.wall_ms(),
            time_synced: Some(parts.clock.is_set()),
            software: Some(crate::SOFTWARE.to_owned()),
            calls: Some(CallCounts {
                active: u64::try_from(metrics.calls_active.get()).unwrap_or(0),
                answered: metrics.calls_answered.get(),
                failed: metrics.calls_panicked.get(),
                voicemails: metrics.voicemails.get(),
                ..CallCounts::default()
            }),
            ..vitals.unwrap_or_else(|| Reported::new(0, 0))
        };
        for head in parts.archive.store().map(::store::Store::outbox_heads).into_iter().flatten() {
            let loss = parts.archive.store().map(|store| store.outbox_loss(head.stream)).unwrap_or_default();
            let lost = loss.dropped.saturating_add(loss.damaged);
            report.set_outbox(head.stream, OutboxReport { lost, ..OutboxReport::default() });
        }
        report
    }

    fn refuses(&self, request: &CommandRequest) -> Option<String> {
        if request.kind == CommandRequest::ROTATE_KEY {
            let reason = "this release makes no keys: put a new one and its certificate in place of sync.key and \
                          sync.certificate, and restart";
            return Some(reason.to_owned());
        }
        if request.kind == CommandRequest::PLACE_TEST_CALL {
            return test_call::via(request).err();
        }
        None
    }

    fn execute(&self, request: CommandRequest) -> HostFuture {
        let parts = Arc::clone(&self.parts);
        if request.kind == CommandRequest::RESTART {
            tracing::info!("told by the gateway to start again");
            parts.shutdown.cancel();
            // The next run says that it is done.
            return Box::pin(std::future::pending());
        }
        if request.kind == CommandRequest::DOCTOR {
            return Box::pin(async move {
                Box::pin(doctor::of_this_box(&parts.config)).await.map_err(|error| format!("{error:#}"))
            });
        }
        if request.kind == CommandRequest::FETCH_LOGS {
            let recent = self.logs.as_ref().map(LogControl::recent).unwrap_or_default();
            return Box::pin(async move {
                let kept = store_lines(&parts, &recent).await;
                if kept {
                    Ok(format!("{} lines", recent.len()))
                } else {
                    Err("the lines could not be stored".to_owned())
                }
            });
        }
        if request.kind == CommandRequest::PLACE_TEST_CALL {
            let patience = Duration::from_millis(request.ttl_ms);
            return Box::pin(async move { test_call::place(&parts, test_call::via(&request)?, patience).await });
        }
        Box::pin(std::future::ready(Err(format!("this release cannot do '{}' yet", request.kind))))
    }

    fn on_status(&self, status: &SyncStatus) {
        tell(&self.parts, status);
    }
}
