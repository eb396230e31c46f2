import { layout } from '../../../shared/provider/layout.ts'

/** Where a server has its key and its certificate, on its machine. */
export const certificateFile = `${layout.store}/postgres/server.pem`

/** Whether a server takes TLS with the certificate that Remodel has given it. */
export const servesTlsSql = `SELECT current_setting('ssl') = 'on' AND current_setting('ssl_cert_file') = '${certificateFile}'`

/** In what libpq is given: the server on the other side is checked. */
export const verifying = 'sslmode=verify-full'
