//! Long, foreign and odd names of files.

use crate::scene::Scene;

#[test]
fn a_name_may_have_any_letters() {
    let scene = Scene::new();
    let name = "donn\u{e9}es \u{65e5}\u{672c} #1.db";
    let holder = scene.hold(&["exec", name]);
    scene.play(&["exec", "-n", name], &["exit", "0"]).is(75);
    assert_eq!(scene.info(name)["guard"]["state"], "held");
    assert_eq!(holder.end(), 0);
    scene.play(&["exec", "-n", name], &["exit", "0"]).is(0);
}

#[test]
fn a_path_may_be_longer_than_260_characters() {
    let scene = Scene::new();
    let mut directory = scene.directory().to_path_buf();
    for _ in 0..4 {
        directory.push("d".repeat(80));
    }
    std::fs::create_dir_all(&directory).expect("made");
    let file = directory.join("a.db");
    let file = file.to_str().expect("text");
    let holder = scene.hold(&["exec", file]);
    scene.play(&["exec", "-n", file], &["exit", "0"]).is(75);
    assert_eq!(holder.end(), 0);
}

#[test]
fn two_spellings_of_a_path_are_one_lock() {
    let scene = Scene::new();
    std::fs::create_dir(scene.path("sub")).expect("made");
    let _holder = scene.hold(&["exec", "a.db"]);
    for spelling in ["./a.db", "sub/../a.db", scene.path("a.db").to_str().expect("text")] {
        scene.play(&["exec", "-n", spelling], &["exit", "0"]).is(75);
    }
}
