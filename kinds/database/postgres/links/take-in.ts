import { stride } from '../number-shares.ts'
import { literal, type Session } from '../server.ts'

/**
 * What the subscriptions of a node apply: a row of a table that is not among them is left out for good, without a word.
 * PostgreSQL adds tables by `REFRESH PUBLICATION`, outside of any transaction only, so rows that come between the table
 * and the refresh would be lost, and it takes away those that the provider does not have yet. These lines are what it
 * writes for a table whose rows are all to come.
 */
const takeIn = (which: string) => `INSERT INTO pg_subscription_rel (srsubid, srrelid, srsubstate)
  SELECT s.oid, c.oid, 'r' FROM pg_subscription s, pg_class c JOIN pg_namespace n ON n.oid = relnamespace
  WHERE s.subname ~ '^remodel_n[0-9]+_n[0-9]+$' AND s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND relkind IN ('r', 'p') AND relpersistence = 'p' AND nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'remodel')
    ${which} AND NOT EXISTS (SELECT FROM pg_subscription_rel WHERE srsubid = s.oid AND srrelid = c.oid)`

/** All tables of the database, within a transaction that is open. */
export async function takeTablesIn(session: Session): Promise<void> {
  await session.query('SET LOCAL allow_system_table_mods = on')
  await session.query(takeIn(''))
  await session.query('SET LOCAL allow_system_table_mods = off')
}

const trigger = 'remodel_take_in'
/**
 * Its subscriptions bear the name of the node that they are on; a node without any is alone, and draws every number.
 */
const body = `DECLARE share int; made record; state record; following bigint; own bigint;
BEGIN
  ${takeIn('AND c.oid IN (SELECT objid FROM pg_event_trigger_ddl_commands())')};
  SELECT substring(subname FROM '_n([0-9]+)$')::int % ${stride} INTO share FROM pg_subscription
    WHERE subname ~ '^remodel_n[0-9]+_n[0-9]+$' AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) LIMIT 1;
  IF share IS NULL THEN RETURN; END IF;
  FOR made IN SELECT format('%I.%I', nspname, relname) AS name, seqmax FROM pg_event_trigger_ddl_commands()
      JOIN pg_sequence ON seqrelid = objid JOIN pg_class c ON c.oid = seqrelid JOIN pg_namespace n ON n.oid = relnamespace
      WHERE command_tag = 'CREATE SEQUENCE' AND seqincrement = 1 AND NOT seqcycle AND relpersistence <> 't' AND nspname <> 'remodel' LOOP
    EXECUTE 'SELECT last_value, is_called FROM ' || made.name INTO state;
    following := state.last_value + state.is_called::int;
    own := following + ((share - following) % ${stride} + ${stride}) % ${stride};
    CONTINUE WHEN own > made.seqmax - ${2 * stride};
    EXECUTE format('ALTER SEQUENCE %s INCREMENT BY ${stride} RESTART WITH %s', made.name, own)
      || CASE WHEN state.is_called THEN '' ELSE format(' START WITH %s', own) END;
  END LOOP;
END`
/** By which a table may come, or become one whose rows are replicated, and a sequence. */
const tags = [
  'CREATE TABLE',
  'CREATE TABLE AS',
  'SELECT INTO',
  'ALTER TABLE',
  'CREATE SEQUENCE',
  'CREATE SCHEMA',
  'CREATE EXTENSION',
]

/**
 * Every table that any client makes is taken in by the transaction that makes it, and every sequence draws the node's
 * own numbers. Rows that another node wrote to its own table before, and that stopped the link, come over then.
 */
export async function keepTakingIn(session: Session): Promise<void> {
  if ((await takingInFault(session)) === '') return
  await session.query(`BEGIN;
    CREATE OR REPLACE FUNCTION remodel.take_in() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER
      SET search_path = pg_catalog SET allow_system_table_mods = on AS ${literal(body)};
    DROP EVENT TRIGGER IF EXISTS ${trigger};
    CREATE EVENT TRIGGER ${trigger} ON ddl_command_end WHEN TAG IN (${tags.map(literal).join(', ')})
      EXECUTE FUNCTION remodel.take_in();
    ALTER EVENT TRIGGER ${trigger} ENABLE ALWAYS;
    COMMIT`)
}

/** Asks inside of the database. */
export async function takingInFault(session: Session): Promise<string> {
  const whole = await session.value(
    `SELECT evtenabled = 'A' AND prosrc = $2 FROM pg_event_trigger JOIN pg_proc p ON p.oid = evtfoid WHERE evtname = $1`,
    [trigger, body],
  )
  return whole === true ? '' : `event trigger ${trigger} is gone: rows of tables that are made are left out`
}
