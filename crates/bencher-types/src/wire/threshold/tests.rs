use super::{ModelTest, UpdateThreshold};

#[test]
fn a_null_test_removes_the_model_and_a_named_one_replaces_it() {
    let update: UpdateThreshold = serde_json::from_str(r#"{"test": null}"#).unwrap();
    assert!(matches!(update, UpdateThreshold::Remove(_)));
    assert_eq!(serde_json::to_string(&update).unwrap(), r#"{"test":null}"#);
    let update: UpdateThreshold = serde_json::from_str(r#"{"test": "t_test", "upper_boundary": 0.99}"#).unwrap();
    assert!(
        matches!(update, UpdateThreshold::Model(model) if model.test == ModelTest::TTest && model.upper_boundary == Some(0.99))
    );
}

#[test]
fn a_model_that_is_not_valid_is_refused_with_the_reason() {
    let refused = serde_json::from_str::<UpdateThreshold>(r#"{"test": "magic"}"#).unwrap_err().to_string();
    assert!(refused.contains("unknown variant `magic`"), "{refused}");
    let refused = serde_json::from_str::<UpdateThreshold>("{}").unwrap_err().to_string();
    assert!(refused.contains("missing field `test`"), "{refused}");
}
