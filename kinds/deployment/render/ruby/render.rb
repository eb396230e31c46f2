# Renders one template at a time; spoken to by `engine.ts` only.
#
# A template is compiled once and run with a fresh context each time. What it defines is taken away again, so that
# neither `def` nor `class` of one template is seen by the next.

module Remodel
  Context = Bosh::Common::Template::EvaluationContext
  CONSTANTS = Context.constants(false).freeze
  METHODS = Context.instance_methods(false).freeze
  private_constant :CONSTANTS, :METHODS

  class Source
    attr_reader :file

    def initialize(file, text)
      @file = file
      @text = text
    end

    def body
      @body ||= compile
    end

    private

    def compile
      code = ERB.new(@text, trim_mode: '-').src
      # Alone first: wrapped in a block, an `end` too many could pass.
      RubyVM::InstructionSequence.compile(code, @file, @file, 0)
      eval(code.sub("\n", "\nproc do ") << "\nend", SCOPE, @file, 0)
    end
  end

  # Bytes of one rendered file: it is copied several times on its way to a machine.
  LONGEST = 16 * 1024 * 1024

  @jobs = {}
  @out = +''

  class << self
    attr_writer :context

    def load_job(json)
      job = JSON.parse(json)
      @jobs[job['id']] = job['files'].map do |file|
        Source.new(file['file'], file['source'].unpack1('m').force_encoding(Encoding::UTF_8))
      end
      nil
    end

    def drop_job(id)
      @jobs.delete(id)
      nil
    end

    # 'U' and text, 'B' and base64 of other bytes, or 'E' and the fault as JSON. Always the same String, so that what
    # the host still holds is empty of content after the next call.
    def render(job, index)
      source = @jobs.fetch(job).fetch(index)
      @out.replace(show(fresh_context.instance_exec(&source.body)))
    rescue Exception => e # rubocop:disable Lint/RescueException -- SystemExit, SyntaxError and stack overflows are faults too
      @out.replace("E#{JSON.generate(fault(e, source.file))}")
    ensure
      forget
    end

    private

    def fresh_context
      given = JSON.parse(@context, max_nesting: false)
      spec = given['spec'].merge('properties' => given['properties'], 'links' => given['links'])
      Context.new(spec, given['dns'] && Dns.new(given['dns']))
    end

    def show(output)
      text = output.to_s.dup.force_encoding(Encoding::UTF_8)
      raise "it renders #{text.bytesize} bytes, #{LONGEST} are allowed" if text.bytesize > LONGEST

      text.valid_encoding? ? "U#{text}" : "B#{[text].pack('m0')}"
    end

    def forget
      (Context.constants(false) - CONSTANTS).each { |name| Context.send(:remove_const, name) }
      Context.class_variables(false).each { |name| Context.remove_class_variable(name) }
      (Context.instance_methods(false) - METHODS).each { |name| Context.send(:remove_method, name) }
    end

    def fault(error, file)
      more =
        case error
        when Bosh::Common::Template::UnknownProperty then { names: error.names, source: error.source }
        when Bosh::Common::Template::UnknownLink then { link: error.link }
        else {}
        end
      line = error.backtrace_locations&.find { |frame| frame.path == file }&.lineno
      message = error.message.to_s.dup.force_encoding(Encoding::UTF_8).scrub('?')
      # A syntax error has no frame in the template; its text begins with the place.
      syntax_line = message[/\A#{Regexp.escape(file)}:(\d+):/, 1]&.to_i if error.is_a?(SyntaxError)
      { type: error.class.name.to_s, message:, line:, syntax_line:, **more }
    end
  end
end
