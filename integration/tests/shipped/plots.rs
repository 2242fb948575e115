//! The plots of docs/performance.md are those of the measurement beside them.

use std::collections::BTreeMap;
use std::fs;

use cofferdam_integration::plot::Measurement;

use crate::repository;

#[test]
fn the_plots_are_drawn_of_the_measurement_beside_them_and_are_on_the_page() {
    let folder = repository("docs/plots");
    let text = fs::read_to_string(folder.join("measured.jsonl")).unwrap();
    let drawn: BTreeMap<String, String> = Measurement::read(&text)
        .unwrap()
        .plots()
        .into_iter()
        .collect();
    let page = fs::read_to_string(repository("docs/performance.md")).unwrap();
    let mut kept = BTreeMap::new();
    for file in fs::read_dir(&folder).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".svg") {
            kept.insert(name.clone(), fs::read_to_string(folder.join(name)).unwrap());
        }
    }
    assert!(
        kept == drawn,
        "./x bench plot draws other plots than there are"
    );
    for (name, drawing) in drawn {
        assert!(
            page.contains(&format!("](plots/{name})")),
            "{name} is on no page"
        );
        for part in [
            "<title id=\"title\">",
            "<desc id=\"description\">",
            "prefers-color-scheme: dark",
            "milliseconds</text>",
            " rounds; load ",
        ] {
            assert!(drawing.contains(part), "{name} lacks {part}");
        }
        let opened = drawing.matches("<text").count();
        assert_eq!(opened, drawing.matches("</text>").count(), "{name}");
    }
}
