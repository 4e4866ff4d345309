//! SMPP 3.4: codec, session, ESME and SMSC simulator.
