use std::time::Duration;

use super::{Failure, TestCase, escape, escape_text, report};

#[test]
fn what_xml_reads_as_markup_is_escaped() {
    for (text, in_attribute, in_text) in [
        ("plain", "plain", "plain"),
        (
            "<a & 'b' \"c\">",
            "&lt;a &amp; &apos;b&apos; &quot;c&quot;&gt;",
            "&lt;a &amp; &apos;b&apos; &quot;c&quot;&gt;",
        ),
        ("]]>", "]]&gt;", "]]&gt;"),
        ("a\nb\tc", "a&#10;b&#9;c", "a\nb\tc"),
        ("a\r\nb", "a&#13;&#10;b", "a&#13;\nb"),
        ("\0\u{1b}[31m\u{fffe}", "\u{fffd}\u{fffd}[31m\u{fffd}", "\u{fffd}\u{fffd}[31m\u{fffd}"),
        ("é €\u{1f600}", "é €\u{1f600}", "é €\u{1f600}"),
    ] {
        assert_eq!(escape(text), in_attribute, "{text:?} in an attribute");
        assert_eq!(escape_text(text), in_text, "{text:?} as text");
    }
}

#[test]
fn a_report_counts_and_names() {
    let case =
        |name: &str, failure| TestCase { name: name.into(), line: Some(3), time: Duration::from_micros(5), failure };
    let failure = Failure { message: "a < b".into(), text: "all".into() };
    let xml = report("p.yaml", "c.yaml", Duration::from_millis(7), &[case("good", None), case("bad", Some(failure))]);
    let counts = r#"tests="2" failures="1" errors="0" skipped="0" time="0.007000""#;
    let head = r#"classname="p.yaml" file="c.yaml" line="3" time="0.000005""#;
    let expected = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<testsuites {counts}>
  <testsuite name=\"p.yaml\" {counts}>
    <testcase name=\"good\" {head}/>
    <testcase name=\"bad\" {head}>
      <failure message=\"a &lt; b\" type=\"unexpected\">all</failure>
    </testcase>
  </testsuite>
</testsuites>
"
    );
    assert_eq!(xml, expected);
}
