//! Whole journeys through the assembled services. Tests only.
