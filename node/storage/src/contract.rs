//! What every driver must do, as tests that any driver can run.
