// An SMSC on node-smpp, an implementation independent of ours: node smsc.mjs '{"port":2775}'.
//
// Settings: port; systemId, password: what a bind must present. Accepts every submit_sm, and sends a "delivered" receipt
// if one was asked for. Prints one line of JSON for each request that it gets.
import smpp from 'smpp';

const settings = { systemId: 'sealpost', password: 'secret', ...JSON.parse(process.argv[2]) };
const DELIVERED = 2;
// Milliseconds until a submit is answered, so that there are some under way when this process is killed.
const LATENCY = 20;
let submitted = 0;

const say = (event) => console.log(JSON.stringify(event));
const text = (message) => (Buffer.isBuffer(message) ? message.toString('hex') : String(message));

function receipt(submit, id) {
  const now = new Date().toISOString().replace(/[-:T]/g, '').slice(2, 12);
  return {
    source_addr: submit.destination_addr,
    destination_addr: submit.source_addr,
    esm_class: 0x04,
    short_message: `id:${id} sub:001 dlvrd:001 submit date:${now} done date:${now} stat:DELIVRD err:000 text:`,
    receipted_message_id: id,
    message_state: DELIVERED,
  };
}

const server = smpp.createServer((session) => {
  session.on('error', (error) => say({ event: 'error', code: error.code }));
  session.on('close', () => say({ event: 'closed' }));
  for (const bind of ['bind_transceiver', 'bind_transmitter', 'bind_receiver']) {
    session.on(bind, (pdu) => {
      const known = pdu.system_id === settings.systemId && pdu.password === settings.password;
      say({ event: bind, systemId: pdu.system_id, accepted: known });
      session.send(pdu.response({ command_status: known ? smpp.ESME_ROK : smpp.ESME_RBINDFAIL, system_id: 'node-smsc' }));
      if (!known) session.close();
    });
  }
  session.on('submit_sm', (pdu) => {
    // Another process, other ids: an SMSC does not begin again after a crash.
    const id = `node-${process.pid}-${++submitted}`;
    const { source_addr: from, destination_addr: to, data_coding: coding, esm_class: esmClass } = pdu;
    say({ event: 'submit_sm', id, from, to, coding, esmClass, text: text(pdu.short_message.message), udh: pdu.short_message.udh?.length ?? 0 });
    setTimeout(() => {
      session.send(pdu.response({ message_id: id }));
      if (pdu.registered_delivery & 0x03) {
        session.deliver_sm(receipt(pdu, id), (answer) => say({ event: 'deliver_sm_resp', id, status: answer.command_status }));
      }
    }, LATENCY);
  });
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('unbind', (pdu) => {
    say({ event: 'unbind' });
    session.send(pdu.response());
    session.close();
  });
});

server.listen(settings.port, '127.0.0.1');
