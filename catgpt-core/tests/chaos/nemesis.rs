//! What goes wrong: one nemesis for each replica, one for the servers, one for the wires. What they broke is whole again
//! when they end.

use std::sync::Arc;
use std::time::Duration;

use catgpt_scratch::{Postgres, Redis, Restart};
use fastrand::Rng;
use tokio::time::sleep;

use super::history::{Fault, Record};
use super::replica::LEASE;
use super::world::{REPLICAS, World};

/// Some time between two moments, in milliseconds.
fn some(rng: &mut Rng, least: u64, most: u64) -> Duration {
    Duration::from_millis(rng.u64(least..most))
}

/// Longer than a lease, sometimes.
fn long(rng: &mut Rng) -> Duration {
    some(rng, 200, u64::try_from(LEASE.as_millis()).unwrap() * 2)
}

fn tell(world: &World, what: Fault, replica: Option<usize>, began: u64) {
    world.record(Record::Fault { what, replica, began, ended: world.now() });
}

/// Kills, pauses, closes and restarts one replica.
pub async fn replica(world: Arc<World>, mut rng: Rng, number: usize) {
    let slot = &world.slots[number];
    loop {
        sleep(some(&mut rng, 500, 6000)).await;
        if world.is_over() {
            return;
        }
        let began = world.now();
        let what = match rng.u8(..10) {
            0..4 => Fault::Kill,
            4..8 => Fault::Pause,
            _ => Fault::Close,
        };
        match what {
            Fault::Kill => slot.kill().await,
            Fault::Pause => {
                slot.pause().await;
                sleep(long(&mut rng)).await;
                slot.go_on().await;
            }
            _ => slot.close().await,
        }
        tell(&world, what, Some(number), began);
        if what != Fault::Pause {
            sleep(some(&mut rng, 0, 3000)).await;
            slot.start(&world).await;
        }
    }
}

/// Restarts, crashes, pauses and empties the servers, on a thread of its own.
pub fn servers(world: &World, mut rng: Rng, mut postgres: Postgres, mut redis: Redis) -> (Postgres, Redis) {
    loop {
        std::thread::sleep(some(&mut rng, 500, 5000));
        if world.is_over() {
            return (postgres, redis);
        }
        let (began, away) = (world.now(), some(&mut rng, 0, 2000));
        let what = match rng.u8(..10) {
            0..2 => Fault::RestartStore,
            2..5 => Fault::CrashStore,
            5..7 => Fault::RestartLive,
            7..8 => Fault::WipeLive,
            _ => Fault::PauseLive,
        };
        match what {
            Fault::RestartStore => postgres.restart(Restart::Fast, away).unwrap(),
            Fault::CrashStore => postgres.restart(Restart::Crash, away).unwrap(),
            Fault::RestartLive => {
                redis.kill();
                std::thread::sleep(away);
                redis.restart().unwrap();
            }
            Fault::WipeLive => redis.wipe(),
            _ => {
                redis.pause();
                std::thread::sleep(long(&mut rng));
                redis.resume();
            }
        }
        tell(world, what, None, began);
    }
}

/// Cuts and stalls the wires between replicas and servers.
pub async fn wires(world: Arc<World>, mut rng: Rng) {
    loop {
        sleep(some(&mut rng, 200, 2000)).await;
        if world.is_over() {
            return;
        }
        let (began, number) = (world.now(), rng.usize(..REPLICAS));
        let slot = &world.slots[number];
        let what = match rng.u8(..10) {
            0..4 => Fault::CutStore,
            4..7 => Fault::StallStore,
            7..8 => Fault::CutLive,
            _ => Fault::StallLive,
        };
        match what {
            Fault::CutStore => slot.store.cut(),
            Fault::CutLive => slot.live.cut(),
            _ => {
                let wire = if what == Fault::StallStore { &slot.store } else { &slot.live };
                wire.stand(true);
                sleep(long(&mut rng)).await;
                wire.stand(false);
            }
        }
        tell(&world, what, Some(number), began);
    }
}
