//! SMS text: GSM 03.38 and UCS-2, segmentation, delivery receipt texts.
