//! `test`: it proves what it says with real processes, and leaves nothing behind.

use serde_json::Value;

use crate::scene::Scene;

fn names(scene: &Scene) -> Vec<String> {
    let listed = std::fs::read_dir(scene.directory()).expect("it is there").flatten();
    let mut names: Vec<_> =
        listed.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn many_processes_lose_no_update_and_nothing_is_left() {
    let scene = Scene::new();
    scene.run(&["sql", "--create", "a.db", "CREATE TABLE t(n)"]).is(0);
    std::fs::write(scene.path("b.txt"), "text").expect("written");
    let before = names(&scene);
    for (file, mode) in [("a.db", "sql"), ("a.db", "mixed"), ("b.txt", "exec")] {
        let words = ["test", "--json", "--workers", "3", "--ops", "4", "--mode", mode, file];
        let done = scene.run(&words).is(0);
        let told: Value = serde_json::from_str(&done.output).expect("a document");
        assert_eq!(told["verdict"], "ok", "{told}");
        let run = &told["dbguard"];
        assert_eq!((&run["done"], &run["lost_updates"]), (&12.into(), &0.into()), "{told}");
        assert_eq!(names(&scene), before);
    }
}
