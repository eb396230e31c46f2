# What templates of public releases find loaded before their first line.
#
# The interpreter starts without RubyGems (it would cost 400 ms); `Gem` loads on first use.

$LOAD_PATH.concat(Dir.glob('/usr/local/lib/ruby/gems/*/gems/{base64,csv,bigdecimal}-*/lib'))
# A template has no business with the host's JavaScript; the seam is closed on the other side as well.
$LOAD_PATH.reject! { |path| path.include?('/js-') }
Object.autoload(:Gem, 'rubygems')

# WebAssembly has no sockets; `ipaddr` wants the three constants only.
class Socket
  AF_UNSPEC = 0
  AF_INET = 2
  AF_INET6 = 10
end
class IPSocket; end
$LOADED_FEATURES << 'socket.so' << 'socket.rb'

%w[
  json yaml erb ostruct set uri digest base64 securerandom ipaddr openssl shellwords time
].each { |library| require library }

# `blank?`, `present?` and `presence`, as templates know them.
class Object
  def blank? = respond_to?(:empty?) ? !!empty? : !self
  def present? = !blank?
  def presence = (self if present?)
end
class String
  def blank? = match?(/\A[[:space:]]*\z/)
end
class Numeric
  def blank? = false
end
class Time
  def blank? = false
end
