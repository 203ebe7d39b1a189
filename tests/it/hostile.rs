//! Garbage and malice inside the state directory: claims, tickets, fences, litter.

use std::fs::{self, File};

use dbguard::platform::mark;

use crate::scene::Scene;

/// Puts a live claim with this content at the head of the queue, where every newcomer reads it.
fn live_claim(scene: &Scene, folder: &str, name: &str, content: &[u8]) -> File {
    let path = scene.state("a.db", folder).join(name);
    fs::write(&path, content).expect("write the claim");
    let file = File::options().read(true).write(true).open(path).expect("open it");
    assert!(mark::try_lock_exclusive(&file).expect("make it live"), "nobody else has it");
    file
}

/// Hostile claims: wrong UTF-8, control characters, cut short, half a terabyte of nothing.
#[test]
fn hostile_claims_are_read_without_harm() {
    let contents: [(&str, &[u8]); 7] = [
        ("empty", b""),
        ("utf-8", b"\xff\xfe\x80{\"pid\":1}\n"),
        ("control", b"{\"program\":\"\x1b[2J\x07\x00\x1b]0;owned\x07\",\"pid\":1}\n"),
        ("escaped", b"{\"program\":\"\\u001b[2J\\u0000\",\"pid\":1,\"user\":\"\\u001b]0;x\"}\n"),
        ("short", b"{\"pid\":12,\"program\":\"py"),
        ("numbers", b"{\"pid\":-1,\"start\":1e999,\"since\":\"yesterday\"}\n"),
        ("deep", &[b'['; 4096]),
    ];
    for (name, content) in contents {
        let scene = Scene::new();
        scene.make_state("a.db");
        let queued = live_claim(&scene, "queue", "00000000000000000001.x", content);
        let held = live_claim(&scene, "held", "1.0123456789abcdef.x", content);
        let lock = scene.plain_flock(scene.state("a.db", "lock"));
        let run = scene.dbguard(["exec", "-w", "1.2", "a.db", "--", "true"]).run();
        let run = run.expect(124);
        assert!(!run.stderr.contains('\x1b'), "{name}: {}", run.describe());
        let run = scene.dbguard(["exec", "-n", "--json", "a.db", "--", "true"]).run().expect(75);
        run.error_document();
        drop((queued, held, lock));
        scene.assert_free("a.db");
    }
}

/// A claim of a gigabyte is not read into memory.
#[test]
#[cfg(target_os = "linux")]
fn a_huge_claim_is_not_swallowed() {
    let scene = Scene::new();
    scene.make_state("a.db");
    let held = live_claim(&scene, "held", "1.0123456789abcdef.x", b"{\"pid\":1,");
    held.set_len(1 << 30).expect("a sparse gigabyte");
    let _lock = scene.plain_flock(scene.state("a.db", "lock"));
    let script = "ulimit -v 300000; exec \"$DBGUARD\" exec -n a.db -- true";
    scene.shell(script).run().expect(75);
}

/// Names in the queue that no dbguard makes neither block nor break anything.
#[test]
fn garbage_names_in_the_folders_are_left_alone() {
    let scene = Scene::new();
    scene.make_state("a.db");
    let names = [
        "README",
        "1.x",
        "00000000000000000001",
        "00000000000000000001.q",
        ".x",
        "x.s",
        "99999999999999999999.x",
        "-1.x",
        "00000000000000000002.x.swp",
    ];
    for folder in ["queue", "held"] {
        for name in names {
            fs::write(scene.state("a.db", folder).join(name), "x").expect("litter");
        }
        fs::create_dir(scene.state("a.db", folder).join("00000000000000000003.x")).expect("mkdir");
    }
    scene.dbguard(["exec", "-w", "5", "a.db", "--", "true"]).run().expect(0);
    scene.dbguard(["exec", "-s", "-w", "5", "a.db", "--", "true"]).run().expect(0);
}

/// L6: a ticket file emptied, rolled back, spoilt or hostile never lets a claim be overwritten.
#[test]
fn l6_a_spoilt_ticket_file_keeps_the_order_and_every_claim() {
    for content in [
        "",
        "0",
        "1",
        "-5",
        "nonsense",
        "\u{0}\u{0}",
        "18446744073709551615",
        "9223372036854775807",
        "4611686018427387905",
        "99999999999999999999999",
    ] {
        let scene = Scene::new();
        let holder = scene.hold(["a.db"]);
        let first = scene.queue_up("a.db", &["-w", "inf"]);
        let ahead = scene.queue("a.db");
        fs::write(scene.state("a.db", "ticket"), content).expect("spoil the ticket");
        let mut second = scene.queue_up("a.db", &["-w", "inf"]);
        let both = scene.queue("a.db");
        assert!(both.len() == 2 && both.first() == ahead.first(), "{content}: {both:?}");
        fs::remove_file(scene.state("a.db", "ticket")).expect("remove the ticket");
        let third = scene.queue_up("a.db", &["-w", "inf"]);
        assert_eq!(scene.queue("a.db").len(), 3, "{content}");
        holder.end().expect(0);
        first.end().expect(0);
        second.until_holding();
        second.end().expect(0);
        third.end().expect(0);
        scene.assert_free("a.db");
    }
}

/// L6: a claim numbered at the end of the range is skipped, not overflowed.
#[test]
fn l6_a_claim_with_the_last_number_does_not_overflow() {
    let scene = Scene::new();
    scene.make_state("a.db");
    let hostile = live_claim(&scene, "queue", "18446744073709551615.x", b"{}");
    let holder = scene.hold(["-w", "50", "a.db"]);
    let waiter = scene.queue_up("a.db", &["-w", "50"]);
    holder.end().expect(0);
    waiter.end().expect(0);
    drop(hostile);
    scene.assert_free("a.db");
}

/// The clock set back: the stored fence counts; set forward far: it still rises.
#[test]
fn s6_a_fence_from_the_future_is_followed() {
    let scene = Scene::new();
    scene.make_state("a.db");
    let far = u64::MAX / 4;
    fs::write(scene.state("a.db", "fence"), format!("{far}\n")).expect("write the fence");
    for step in 1..3 {
        let run = scene.dbguard(["exec", "a.db", "--", "sh", "-c", "echo $DBGUARD_FENCE"]).run();
        run.expect(0).answers(&(far + step).to_string());
    }
    fs::write(scene.state("a.db", "fence"), u64::MAX.to_string()).expect("write the fence");
    scene.dbguard(["exec", "a.db", "--", "true"]).run().expect_any(&[0, 74]);
}
