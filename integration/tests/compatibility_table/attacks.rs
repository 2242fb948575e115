//! docs/attacks.md is what integration/tests/attacks/advisories.list says, and the tests that it
//! names exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::{document, exists, workspace_root};

/// The table that the document is made of.
const LIST: &str = "integration/tests/attacks/advisories.list";
const DOCUMENT: &str = "docs/attacks.md";
/// Where a test is whose folder is not named.
const FOLDER: &str = "integration/tests/attacks";

const INTRODUCTION: &str = "\
# Published attacks

What has been published against container runtimes and their neighbours, as a test of this one. A recipe is an attack as a test
makes it, and has the numbers by which `./x attack races` prints its rounds. Each runs in `./x test`, on the kernel at hand and
some of them once more on kernels that lack system calls; `./x attack recipes` runs all of them there. What an advisory says is its
published cause, in a few words; the advisory itself says which versions of the project have it.

`./x attack table` writes this file from [advisories.list](../integration/tests/attacks/advisories.list); that it is so, and that the
tests exist, is itself checked.

## Advisories
";

/// An attack that tests make.
struct Recipe<'a> {
    number: &'a str,
    attack: &'a str,
    holds: &'a str,
    tests: Vec<&'a str>,
}

/// An advisory: id, project, cause, and the numbers of recipes.
struct Advisory<'a> {
    id: &'a str,
    project: &'a str,
    cause: &'a str,
    recipes: Vec<&'a str>,
}

/// The lines of a section, each as its four cells.
fn section<'a>(text: &'a str, name: &str) -> Vec<[&'a str; 4]> {
    let heading = format!("[{name}]");
    let lines = text.lines().skip_while(|line| *line != heading).skip(1);
    lines
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.is_empty())
        .map(|line| {
            let cells: Vec<&str> = line.split(" | ").collect();
            cells
                .try_into()
                .unwrap_or_else(|_| panic!("{LIST}: not four cells: {line}"))
        })
        .collect()
}

fn read(text: &str) -> (Vec<Recipe<'_>>, Vec<Advisory<'_>>) {
    let recipes = section(text, "recipes")
        .into_iter()
        .map(|[number, attack, holds, tests]| Recipe {
            number,
            attack,
            holds,
            tests: tests.split(", ").collect(),
        });
    let advisories =
        section(text, "advisories")
            .into_iter()
            .map(|[id, project, cause, recipes]| Advisory {
                id,
                project,
                cause,
                recipes: recipes.split(", ").collect(),
            });
    (recipes.collect(), advisories.collect())
}

/// A test with the folder that it is in.
fn whole_name(test: &str) -> String {
    if test.contains(": ") {
        test.to_owned()
    } else {
        format!("{FOLDER}: {test}")
    }
}

/// The document.
fn written(recipes: &[Recipe<'_>], advisories: &[Advisory<'_>]) -> String {
    let by_number: BTreeMap<_, _> = recipes
        .iter()
        .map(|recipe| (recipe.number, recipe))
        .collect();
    let quoted = |tests: &[&str]| {
        let names: Vec<String> = tests.iter().map(|test| format!("`{test}`")).collect();
        names.join(", ")
    };
    let mut text = INTRODUCTION.to_owned();
    text.push_str(
        "\n| advisory | project | published cause | recipe | here |\n|---|---|---|---|---|\n",
    );
    for advisory in advisories {
        let Advisory {
            id, project, cause, ..
        } = advisory;
        let numbers = advisory.recipes.join(", ");
        let holds: Vec<&str> = advisory
            .recipes
            .iter()
            .filter_map(|number| Some(by_number.get(number)?.holds))
            .collect();
        let holds = holds.join("; ");
        writeln!(text, "| {id} | {project} | {cause} | {numbers} | {holds} |").unwrap();
    }
    text.push_str("\n## Recipes\n\n| recipe | attack | what holds | tests, in `");
    text.push_str(FOLDER);
    text.push_str("` unless they say where |\n|---|---|---|---|\n");
    for recipe in recipes {
        let Recipe {
            number,
            attack,
            holds,
            tests,
        } = recipe;
        let tests = quoted(tests);
        writeln!(text, "| {number} | {attack} | {holds} | {tests} |").unwrap();
    }
    text
}

#[test]
fn every_advisory_has_a_recipe_and_every_recipe_its_tests() {
    let text = document(LIST);
    let (recipes, advisories) = read(&text);
    assert!(!recipes.is_empty() && !advisories.is_empty(), "{LIST}");
    let numbers: BTreeSet<_> = recipes.iter().map(|recipe| recipe.number).collect();
    assert_eq!(numbers.len(), recipes.len(), "a recipe with two rows");
    let ids: BTreeSet<_> = advisories.iter().map(|advisory| advisory.id).collect();
    assert_eq!(ids.len(), advisories.len(), "an advisory with two rows");
    let mut wrong = Vec::new();
    for recipe in &recipes {
        let tests = recipe.tests.iter().map(|test| whole_name(test));
        for test in tests.filter(|test| !exists(test)) {
            wrong.push(format!("{}: no test is called {test}", recipe.number));
        }
    }
    for advisory in &advisories {
        let unknown = advisory
            .recipes
            .iter()
            .filter(|recipe| !numbers.contains(*recipe));
        wrong.extend(unknown.map(|recipe| format!("{}: no recipe {recipe}", advisory.id)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_document_is_what_the_list_says() {
    let text = document(LIST);
    let (recipes, advisories) = read(&text);
    let expected = written(&recipes, &advisories);
    if std::env::var_os("COFFERDAM_WRITE_ATTACKS").is_some() {
        std::fs::write(workspace_root().join(DOCUMENT), &expected).unwrap();
    }
    let found = document(DOCUMENT);
    assert!(
        found == expected,
        "{DOCUMENT} is not what `./x attack table` writes"
    );
}
