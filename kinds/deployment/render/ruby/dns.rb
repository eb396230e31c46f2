# Names for the whole group of a link, where the link carries no address of its own.
#
#   long   q-<query>.<group>.<network>.<deployment>.<domain>, or <uuid>.<group>... for one instance
#   short  q-<query>.q-g<number of the group>.<domain>
#
# The query is a sorted list of a<az number> m<instance number> n<network number> s<status> y<initial health>.

module Remodel
  class Dns
    STATUS = { 'healthy' => 3, 'unhealthy' => 1, 'all' => 4, 'default' => 0 }.freeze
    INITIAL = { 'synchronous' => 1, 'asynchronous' => 0 }.freeze

    def initialize(numbers)
      @azs, @networks, @instances = numbers.values_at('azs', 'networks', 'instances').map { |found| found || {} }
      @groups = (numbers['service_groups'] || []).to_h do |group|
        [group.values_at('group_type', 'group_name', 'deployment'), group['id']]
      end
    end

    def name_of(link, criteria)
      short = link.fetch('use_short_dns_addresses', false)
      by_link = link.fetch('use_link_dns_names', false)
      type, group = by_link ? ['link', link['group_name']] : ['instance-group', link['instance_group']]
      uuid = criteria[:uuid]
      head = uuid && !short ? uuid : "q-#{query(link, criteria, short)}"
      middle = short ? short_group(type, group, link) : long_group(group, link)
      [head, *middle, link['domain']].join('.')
    end

    def self.canonical(name)
      text = name.downcase.tr('_', '-').gsub(/[^a-z0-9-]/, '')
      fault = { 'start' => text.start_with?('-'), 'end' => text.end_with?('-') }.key(true)
      return text unless fault

      raise Bosh::Director::DnsInvalidCanonicalName, "Invalid DNS canonical name '#{text}', cannot #{fault} with a hyphen"
    end

    private

    def query(link, criteria, short)
      parts = (criteria[:azs] || []).map { |az| "a#{number(@azs, az, 'AZ')}" }
      if short
        parts << "m#{number(@instances, criteria[:uuid], 'instance UUID')}" if criteria[:uuid]
        parts << "n#{number(@networks, link['default_network'], 'Network')}" if link['default_network']
      end
      parts << "s#{STATUS.fetch(criteria[:status], 0)}"
      initial = INITIAL[criteria[:initial_health_check]]
      parts << "y#{initial}" if initial
      parts.sort.join
    end

    def number(table, name, what)
      return nil if name.nil?

      table.fetch(name) { raise "Unknown #{what}: '#{name}'" }
    end

    def short_group(type, group, link) = ["q-g#{@groups[[type, group, link['deployment_name']]]}"]

    def long_group(group, link)
      [group, link['default_network'], link['deployment_name']].map { |part| Dns.canonical(part) }
    end
  end
end
