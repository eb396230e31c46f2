# Open structs without their cost.
#
# `OpenStruct.new` defines two methods per key, 2 ms for a spec of 30 keys. One that has its table only answers all the
# same, through `method_missing`; a key that is also the name of a method (`test`, `method`, `format`) needs its own.

module Remodel
  COLLISIONS = Hash.new do |by_type, type|
    by_type[type] = Hash.new { |known, key| known[key] = type.method_defined?(key) || type.private_method_defined?(key) }
  end
  private_constant :COLLISIONS

  # Every hash in `value` as a `type`, also those in lists.
  def self.struct(value, type)
    case value
    when Hash
      table = value.to_h { |key, inner| [key.to_sym, struct(inner, type)] }
      made = type.allocate
      made.instance_variable_set(:@table, {})
      table.each_key { |key| made.send(:new_ostruct_member!, key) if COLLISIONS[type][key] }
      made.instance_variable_set(:@table, table)
      made
    when Array then value.map { |inner| struct(inner, type) }
    else value
    end
  end
end
