-- Devices are looked for by their age.
CREATE INDEX synchronized_devices_created ON synchronized_devices (created_at);
