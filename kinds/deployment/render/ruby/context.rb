# What a template sees: `p`, `if_p`, `link`, `if_link`, `spec`, `properties`, `raw_properties`, `name`, `index`.
#
# The names of modules and classes are those that templates of public releases mention (they rescue
# `Bosh::Common::Template::UnknownProperty`); what the methods do is held by the cases of the test folder.

module Bosh
  module Director
    class DnsInvalidCanonicalName < StandardError; end
  end

  module Common
    module Template
      class UnknownProperty < StandardError
        # `source` says whose property it is: nil for the job's own, else the link's name.
        attr_reader :names, :source

        def initialize(names, source = nil)
          @names = names
          @source = source
          super("Can't find property '#{names.inspect}'")
        end
      end

      class UnknownLink < StandardError
        attr_reader :link

        def initialize(link)
          @link = link
          super("Can't find link '#{link}'")
        end
      end

      # Looking up dotted names in what `lookup_root` gives. Only nil counts as missing: false and '' are values.
      #
      # Loops instead of blocks: leaving a block by `return` costs 25 KB in WebAssembly that are never given back.
      module PropertyHelper
        def p(*arguments)
          names = Array(arguments.first)
          value = nil
          index = 0
          while value.nil? && index < names.length
            value = lookup_property(lookup_root, names[index])
            index += 1
          end
          return value unless value.nil?
          return arguments[1] if arguments.length == 2

          raise UnknownProperty.new(names, lookup_source)
        end

        def if_p(*names)
          values = []
          while values.length < names.length
            value = lookup_property(lookup_root, names[values.length])
            return EvaluationContext::ActiveElseBlock.new(self) if value.nil?

            values << value
          end
          yield(*values)
          EvaluationContext::InactiveElseBlock.new
        end

        private

        # Walks with `[]` on whatever stands there, so a String on the way answers with a part of itself.
        def lookup_property(root, name)
          keys = name.split('.')
          here = root
          here = here[keys.shift] until here.nil? || keys.empty?
          here
        end
      end

      class EvaluationLinkInstance
        include PropertyHelper

        attr_reader :name, :index, :id, :az, :address, :properties, :bootstrap

        def initialize(given, link)
          @name, @index, @id, @az, @address, @properties, @bootstrap =
            given.values_at('name', 'index', 'id', 'az', 'address', 'properties', 'bootstrap')
          @link = link
        end

        private

        def lookup_root = @properties
        def lookup_source = @link
      end

      class EvaluationLink
        include PropertyHelper

        attr_reader :instances, :properties

        def initialize(name, given, dns)
          @name = name
          @given = given
          @dns = dns
          @instances = given['instances'].map { |instance| EvaluationLinkInstance.new(instance, name) }
          @properties = given['properties']
        end

        # An address that is given wins over every criterion; else the name is composed by the rules of `dns.rb`.
        def address(criteria = {})
          return @given['address'] if @given.key?('address')
          raise NotImplementedError, 'link.address requires bosh director' if @dns.nil?

          @dns.name_of(@given, criteria)
        end

        private

        def lookup_root = @properties
        def lookup_source = @name
      end

      # Everything a template may override stands in this parent: a `def p` of a template lands in the child, where it
      # is found and taken away after the template.
      class EvaluationBase
        include PropertyHelper

        attr_reader :name, :index, :raw_properties

        def initialize(spec, dns)
          @given = spec
          @name = spec['name']
          @index = spec['index']
          @raw_properties = spec['properties'] || {}
          @links = spec['links'] || {}
          @dns_encoder = dns
        end

        # Open structs are slow to build and most templates need only one of the two, so each waits for its first use.
        def spec = @spec ||= openstruct(@given, EvaluationContext::BackCompatOpenStruct)
        def properties = @properties ||= openstruct(@raw_properties)

        def link(name)
          found = lookup_link(name)
          raise UnknownLink, name if found.nil?

          EvaluationLink.new(name, found, @dns_encoder)
        end

        def if_link(name)
          found = lookup_link(name)
          return EvaluationContext::ActiveElseBlock.new(self) if found.nil?

          yield EvaluationLink.new(name, found, @dns_encoder)
          EvaluationContext::InactiveElseBlock.new
        end

        private

        def lookup_root = @raw_properties
        def lookup_source = nil

        def lookup_link(name)
          found = lookup_property(@links, name)
          found if found&.key?('instances')
        end

        def openstruct(value, type = OpenStruct) = Remodel.struct(value, type)
      end

      class EvaluationContext < EvaluationBase
        class BackCompatOpenStruct < OpenStruct
          # `spec.networks.methods(false)` is how old templates list the networks.
          def methods(regular = true) = regular ? super : to_h.keys
        end

        class ActiveElseBlock
          def initialize(context)
            @context = context
          end

          def else = yield
          def else_if_p(*names, &block) = @context.if_p(*names, &block)
          def else_if_link(name, &block) = @context.if_link(name, &block)
        end

        class InactiveElseBlock
          def else = nil
          def else_if_p(*) = InactiveElseBlock.new
          def else_if_link(*) = InactiveElseBlock.new
        end

        Remodel::SCOPE = binding
      end
    end
  end
end
