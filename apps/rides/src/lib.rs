//! Ride hailing as an app.
mod geo;
mod meter;
mod money;
