use super::*;

#[test]
fn no_path_of_a_job_leads_out_of_the_folder() {
    for (path, expected) in [
        ("/results/a.svg", "out/1/results/a.svg"),
        ("/../../etc/passwd", "out/1/etc/passwd"),
        ("../x", "out/1/x"),
        ("a/./b", "out/1/a/b"),
    ] {
        let artifact = Artifact { path: path.to_owned(), ..Artifact::default() };
        let one = Kept { iteration: 1, artifact, bytes: Vec::new() };
        assert_eq!(place(Path::new("out"), &one), Path::new(expected));
    }
}
