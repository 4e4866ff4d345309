// An SMSC on node-smpp, an implementation independent of ours: node smsc.mjs '{"port":2775}'.
//
// Settings: port; systemId, password: what a bind must present; status: command status of every submit_sm_resp
// (default 0, accepted); receipts: state of the delivery receipts, such as "DELIVRD" (none by default);
// holdMs: time before a submit is answered. Prints one line of JSON for each request that it gets.
import smpp from 'smpp';

const settings = { systemId: 'sealpost', password: 'secret', status: 0, receipts: null, holdMs: 0, ...JSON.parse(process.argv[2]) };
const states = { ENROUTE: 1, DELIVRD: 2, EXPIRED: 3, DELETED: 4, UNDELIV: 5, ACCEPTD: 6, UNKNOWN: 7, REJECTD: 8 };
let submitted = 0;

const say = (event) => console.log(JSON.stringify(event));
const text = (message) => (Buffer.isBuffer(message) ? message.toString('hex') : String(message));

function receipt(submit, id) {
  const now = new Date().toISOString().replace(/[-:T]/g, '').slice(2, 12);
  return {
    source_addr: submit.destination_addr,
    destination_addr: submit.source_addr,
    esm_class: 0x04,
    short_message: `id:${id} sub:001 dlvrd:001 submit date:${now} done date:${now} stat:${settings.receipts} err:000 text:`,
    receipted_message_id: id,
    message_state: states[settings.receipts] ?? states.UNKNOWN,
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
    const id = `node-${++submitted}`;
    const { source_addr: from, destination_addr: to, data_coding: coding, esm_class: esmClass } = pdu;
    say({ event: 'submit_sm', id, from, to, coding, esmClass, text: text(pdu.short_message.message), udh: pdu.short_message.udh?.length ?? 0 });
    setTimeout(() => {
      session.send(pdu.response({ command_status: settings.status, message_id: settings.status === 0 ? id : undefined }));
      if (settings.status === 0 && settings.receipts && pdu.registered_delivery & 0x03) {
        session.deliver_sm(receipt(pdu, id), (answer) => say({ event: 'deliver_sm_resp', id, status: answer.command_status }));
      }
    }, settings.holdMs);
  });
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('unbind', (pdu) => {
    session.send(pdu.response());
    session.close();
  });
});

server.listen(settings.port, '127.0.0.1');
