//! What the operator decides: who decides, how far and how long is looked, what a kilometre costs. Read from configuration once; no
//! fold depends on it: a search and a ride carry what they go by in their own records.

use serde::{Deserialize, Serialize};

use crate::meter::Scale;

/// The configuration `[rides]`. `Default` is what a server without it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    pub authority: Authority,
    /// How far from the pick-up drivers are looked for.
    pub radius_m: i64,
    /// Drivers who are asked for one passenger at a time.
    pub offers_at_once: usize,
    pub offer_ms: i64,
    pub search_ms: i64,
    /// A ride begins where the two are no further apart.
    pub gate_m: i64,
    /// A position that is older says nothing of where somebody is.
    pub gate_fresh_ms: i64,
    /// A driver whose connection has been gone for so long is offered nobody.
    pub driver_gone_ms: i64,
    pub rate_per_km: i64,
    /// Of what a passenger pays, in hundredths of a per cent.
    pub fee_basis_points: i64,
    /// What it costs a passenger to cancel when the driver has come.
    pub cancellation_fee: i64,
    pub jitter_m: i64,
    pub speed_kmh_max: i64,
    /// Where a passenger's page finds a code to pay by; the ride, the amount and the passenger are put behind it.
    pub payment_url: Option<String>,
}

/// Who matches and bills.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authority {
    #[default]
    Kulkul,
    /// The fleet's own back end, by a broker: clients' words are handed to it, and what it says is what is.
    Fleet,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            authority: Authority::default(),
            radius_m: 1_000,
            offers_at_once: 5,
            offer_ms: 30_000,
            search_ms: 5 * 60_000,
            gate_m: 100,
            gate_fresh_ms: 2 * 60_000,
            driver_gone_ms: 30_000,
            rate_per_km: 3_000,
            fee_basis_points: 500,
            cancellation_fee: 2_000,
            jitter_m: 5,
            speed_kmh_max: 150,
            payment_url: None,
        }
    }
}

/// What a ride goes by from its beginning to its end, whatever is configured meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Terms {
    pub rate_per_km: i64,
    pub fee: i64,
    pub cancellation_fee: i64,
    pub gate_mm: i64,
    pub fresh_ms: i64,
    pub scale: Scale,
}

impl Rules {
    pub(crate) fn terms(&self) -> Terms {
        Terms {
            rate_per_km: self.rate_per_km,
            fee: self.fee_basis_points,
            cancellation_fee: self.cancellation_fee,
            gate_mm: self.gate_m.saturating_mul(1_000),
            fresh_ms: self.gate_fresh_ms,
            scale: Scale {
                jitter_mm: self.jitter_m.saturating_mul(1_000),
                speed_kmh_max: self.speed_kmh_max,
            },
        }
    }
}
